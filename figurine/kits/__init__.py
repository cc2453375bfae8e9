"""What a figurine wears: a folder a kit, with its sculpt program, baked body, plates, kit.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from figurine.errors import MissingModel, UnknownKit
from figurine.types import Array

_ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Camera:
    eye: Array
    target: Array
    fov_y_deg: float


@dataclass(frozen=True)
class FacePlace:
    """Where and how large the visitor's face is."""

    origin: Array
    """(3,) midpoint between the mesh's cheek edges."""
    width: float
    centre: Array
    """(3,) the head is star-shaped around it."""
    crop: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the picture: all that changes from face to face."""
    strap: str
    """Material of the chin strap moulded onto the head; empty for none."""


@dataclass(frozen=True)
class Finish:
    name: str
    title: str
    face: str
    """"paint" keeps the visitor's colours; "plastic" is one colour, drawn by relief and wash."""
    roughness: float
    specular: Array
    """(M,) strength of the highlight, a number a material; 1 is plastic."""
    plaque_ink: str
    """Colour of the name as #rrggbb; empty leaves it embossed in the base's colour."""
    palette: Array
    """(M, 3) linear RGB, a row a material."""


@dataclass(frozen=True)
class Kit:
    name: str
    title: str
    version: int
    folder: Path
    step: float
    unit_mm: float
    materials: tuple[str, ...]
    camera: Camera
    face: FacePlace
    plaque: Array
    """(4, 3) corners in units: top left, top right, bottom right, bottom left."""
    finishes: Mapping[str, Finish]

    def finish(self, name: str) -> Finish:
        """Raises UnknownKit, since a kit without this finish is not on the shelf."""
        try:
            return self.finishes[name]
        except KeyError:
            raise UnknownKit(f"kit {self.name!r} has no finish {name!r}") from None

    def baked(self, file: str) -> Path:
        """Path of a baked file. Raises MissingModel."""
        path = self.folder / "baked" / file
        if not path.is_file():
            raise MissingModel(f"{path} is missing: run python -m figurine.kits bake {self.name}")
        return path


def names() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in _ROOT.glob("*/kit.toml")))


@cache
def load(name: str) -> Kit:
    """Read a kit's description. Raises UnknownKit."""
    if name not in names():
        raise UnknownKit(f"no kit named {name!r}")
    folder = _ROOT / name
    return _parse(name, folder, tomllib.loads((folder / "kit.toml").read_text("utf-8")))


def _parse(name: str, folder: Path, data: Mapping[str, Any]) -> Kit:
    materials = tuple(data["materials"])
    left, top, right, bottom = data["face"]["crop"]
    return Kit(
        name=name,
        title=data["title"],
        version=data["version"],
        folder=folder,
        step=data["step"],
        unit_mm=data["unit_mm"],
        materials=materials,
        camera=Camera(
            eye=np.asarray(data["camera"]["eye"], np.float32),
            target=np.asarray(data["camera"]["target"], np.float32),
            fov_y_deg=data["camera"]["fov_y_deg"],
        ),
        face=FacePlace(
            origin=np.asarray(data["face"]["origin"], np.float32),
            width=data["face"]["width"],
            centre=np.asarray(data["face"]["centre"], np.float32),
            crop=(left, top, right, bottom),
            strap=data["face"].get("strap", ""),
        ),
        plaque=np.asarray(data["plaque"]["corners"], np.float32),
        finishes={
            key: Finish(
                name=key,
                title=finish["title"],
                face=finish["face"],
                roughness=finish["roughness"],
                specular=np.asarray(
                    [
                        finish.get("gloss", {}).get(material, finish["specular"])
                        for material in materials
                    ],
                    np.float32,
                ),
                plaque_ink=finish["plaque_ink"],
                palette=_palette(finish["palette"], materials),
            )
            for key, finish in data["finishes"].items()
        },
    )


def _palette(colours: Mapping[str, str], materials: tuple[str, ...]) -> Array:
    """Rows in the order of the materials; "*" stands for all that are not named."""
    return np.stack([linear(colours.get(name) or colours["*"]) for name in materials])


def linear(colour: str) -> Array:
    """#rrggbb as linear RGB, 0..1. Source: IEC 61966-2-1."""
    srgb = np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8) / np.float32(255)
    low, high = srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, low, high).astype(np.float32)
