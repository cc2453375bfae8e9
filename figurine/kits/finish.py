"""What a figurine is made of and how it is coated: read from data, no code a finish.

`finishes.toml` holds the finishes every kit comes in; a kit's own table of the same name changes
single fields, colours and glosses of them, adds finishes, or leaves one out with `false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from figurine.types import Array, Pixels

MIXED = "plastic"
"""Plates from which a one-coloured plastic of any colour is mixed: a new one needs no baking."""


@dataclass(frozen=True)
class Layer:
    """A second coat that lies on a part of the surface: patina in creases, veins in stone."""

    where: str
    """"creases": in hollows and along what the face draws dark; "veins": fine lines in depth."""
    colour: Array
    """(3,) linear RGB."""
    roughness: float
    amount: float
    """0..1: cover where it lies thickest."""
    size: float
    """Units: how wide a crease it fills, or how far apart the veins are."""


@dataclass(frozen=True)
class Finish:
    name: str
    title: str
    face: str
    """"paint" keeps the visitor's colours; "plastic" is one colour, drawn by relief and wash."""
    plates: str
    """Which baked plates it is made of: its own, by its name, or those that are MIXED."""
    surface: str
    """"plastic": colour under a clear gloss, stone too; "metal": colour in the reflection."""
    roughness: float
    face_roughness: float
    """Of heads: in a mirror's reflections nobody is to be recognised."""
    specular: Array
    """(M,) strength of the highlight, a number a material; 1 is plastic."""
    plaque_ink: str
    """Colour of the name as #rrggbb; empty leaves it embossed in the base's colour."""
    palette: Array
    """(M, 3) linear RGB, a row a material."""
    wash: Array
    """(3,) linear RGB that the lines of a one-coloured face run towards as they darken."""
    wash_grip: float
    """1 keeps every dark as drawn; the larger, the more only the deep ones hold the wash."""
    dry_brush: float
    """0..1: how much of a one-coloured face's lights above its plain colour is kept."""
    layer: Layer | None
    inner: Array
    """(3,) light from inside, a share of the surface's albedo: faint in plastic, strong in glow."""
    room: Array
    """(3,) how bright the studio is, 1 is day. A glowing figure stands in a dim, cool one."""

    def on_face(self) -> Finish:
        """The finish as heads have it."""
        return replace(self, roughness=self.face_roughness)


def read(
    name: str, shared: Mapping[str, Any], own: Mapping[str, Any], materials: tuple[str, ...]
) -> Finish:
    """A finish from the shared table and the kit's own, whose fields win."""
    data: dict[str, Any] = {**shared, **own}
    for table in ("palette", "gloss"):
        data[table] = {**shared.get(table, {}), **own.get(table, {})}
    layer = data.get("layer")
    return Finish(
        name=name,
        title=data["title"],
        face=data["face"],
        plates=data.get("plates", name),
        surface=data.get("surface", "plastic"),
        roughness=data["roughness"],
        face_roughness=data.get("face_roughness", data["roughness"]),
        specular=np.asarray(
            [data["gloss"].get(material, data["specular"]) for material in materials], np.float32
        ),
        plaque_ink=data.get("plaque_ink", ""),
        palette=_palette(data["palette"], materials),
        wash=linear(data.get("wash", "#000000")),
        wash_grip=data.get("wash_grip", 1.0),
        dry_brush=data.get("dry_brush", 1.0),
        layer=layer
        and Layer(
            where=layer["where"],
            colour=linear(layer["colour"]),
            roughness=layer["roughness"],
            amount=layer["amount"],
            size=layer["size"],
        ),
        inner=np.asarray(data.get("inner", (0, 0, 0)), np.float32),
        room=np.asarray(data.get("room", (1, 1, 1)), np.float32),
    )


def read_all(
    shared: Mapping[str, Any], own: Mapping[str, Any], materials: tuple[str, ...]
) -> dict[str, Finish]:
    """Every finish of a kit by name: the shared ones in their order, then its own."""
    names = [name for name in {**shared, **own} if own.get(name, True) is not False]
    return {name: read(name, shared.get(name, {}), own.get(name, {}), materials) for name in names}


def _palette(colours: Mapping[str, str], materials: tuple[str, ...]) -> Array:
    """Rows in the order of the materials; "*" stands for all that are not named."""
    return np.stack([linear(colours.get(name) or colours["*"]) for name in materials])


def linear(colour: str) -> Array:
    """#rrggbb as linear RGB, 0..1. Source: IEC 61966-2-1."""
    srgb = np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8) / np.float32(255)
    low, high = srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, low, high).astype(np.float32)


def srgb(light: Array) -> Pixels:
    """Linear RGB as sRGB bytes; what is beyond 0..1 is cut off. Source: IEC 61966-2-1."""
    within = np.clip(light, 0, 1)
    low, high = within * 12.92, 1.055 * np.maximum(within, 1e-6) ** (1 / 2.4) - 0.055
    return np.asarray(np.round(np.where(within <= 0.0031308, low, high) * 255), np.uint8)
