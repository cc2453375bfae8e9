"""What a figurine wears: a folder a kit, with its sculpt program, baked body, plates, kit.toml."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from figurine.errors import MissingModel, UnknownKit
from figurine.kits import finish
from figurine.kits.finish import MIXED, Finish, Layer, linear, srgb
from figurine.types import Array

__all__ = [
    "MIXED",
    "TABLE",
    "Camera",
    "FacePlace",
    "Finish",
    "Kit",
    "Layer",
    "Pose",
    "Turn",
    "linear",
    "load",
    "names",
    "srgb",
]

TABLE = "#c6a47c"
"""The card that figures stand on and before."""
_ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Camera:
    eye: Array
    target: Array
    fov_y_deg: float

    @property
    def distance(self) -> float:
        return float(np.linalg.norm(self.eye - self.target))

    def project(self, points: Array, size_px: tuple[int, int]) -> Array:
        """Points in space (N, 3) to pixels (N, 2) of a picture of this width and height."""
        width, height = size_px
        forward = self.target - self.eye
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0, 1, 0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        offset = points - self.eye
        scale = height / 2 / np.tan(np.radians(self.fov_y_deg) / 2) / (offset @ forward)
        x, y = width / 2 + offset @ right * scale, height / 2 - offset @ up * scale
        return np.asarray(np.stack([x, y], axis=1), np.float32)

    def turned(self, turn: Turn) -> Camera:
        """The camera after a walk around the figure."""
        return Camera(turn.of(self.eye), turn.of(self.target), self.fov_y_deg)


@dataclass(frozen=True)
class Turn:
    """So far around an upright axis, counter-clockwise from above."""

    deg: float = 0.0
    axis_z: float = 0.0
    """Where the axis stands: a figure's own, or the middle of a squad."""

    def of(self, points: Array) -> Array:
        """Points (…, 3), turned."""
        cos, sin = np.cos(np.radians(self.deg)), np.sin(np.radians(self.deg))
        x, y, z = np.moveaxis(np.asarray(points), -1, 0)
        z = z - self.axis_z
        around = np.stack([x * cos + z * sin, y, z * cos - x * sin + self.axis_z], axis=-1)
        return np.asarray(around, np.float32)


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
class Pose:
    name: str
    title: str
    face: FacePlace


@dataclass(frozen=True)
class Kit:
    """A kit, standing in one of its poses."""

    name: str
    title: str
    folder: Path
    step: float
    unit_mm: float
    materials: tuple[str, ...]
    camera: Camera
    pose: str
    """Empty for a kit that knows only one."""
    poses: Mapping[str, Pose]
    face: FacePlace
    plaque: Array
    """(4, 3) corners in units: top left, top right, bottom right, bottom left."""
    finishes: Mapping[str, Finish]

    def digest(self) -> str:
        """What tells its files, in all poses, from any others: all that decides its pictures."""
        return _digest(self.folder)

    def finish(self, name: str) -> Finish:
        """Raises UnknownKit, since a kit without this finish is not on the shelf."""
        try:
            return self.finishes[name]
        except KeyError:
            raise UnknownKit(f"kit {self.name!r} has no finish {name!r}") from None

    def posed(self, name: str) -> Kit:
        """The kit in another pose; no name is its first. Raises UnknownKit."""
        if not name:
            name = next(iter(self.poses), "")
        if name == self.pose:
            return self
        if name not in self.poses:
            raise UnknownKit(f"kit {self.name!r} has no pose {name!r}")
        return replace(self, pose=name, face=self.poses[name].face)

    @property
    def baked_folder(self) -> Path:
        """Where this pose's baked files lie."""
        return self.folder / "baked" / self.pose

    def baked(self, file: str) -> Path:
        """Path of a baked file. Raises MissingModel."""
        path = self.baked_folder / file
        if not path.is_file():
            raise MissingModel(f"{path} is missing: run python -m figurine.kits bake {self.name}")
        return path


def names() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in _ROOT.glob("*/kit.toml")))


@cache
def load(name: str) -> Kit:
    """Read a kit's description; it stands in its first pose. Raises UnknownKit."""
    if name not in names():
        raise UnknownKit(f"no kit named {name!r}")
    folder = _ROOT / name
    return _parse(name, folder, tomllib.loads((folder / "kit.toml").read_text("utf-8")))


def _parse(name: str, folder: Path, data: Mapping[str, Any]) -> Kit:
    materials = tuple(data["materials"])
    poses = {
        key: Pose(key, pose["title"], _face({**data["face"], **pose.get("face", {})}))
        for key, pose in data.get("poses", {}).items()
    }
    first = next(iter(poses.values()), Pose("", "", _face(data["face"])))
    return Kit(
        name=name,
        title=data["title"],
        folder=folder,
        step=data["step"],
        unit_mm=data["unit_mm"],
        materials=materials,
        camera=Camera(
            eye=np.asarray(data["camera"]["eye"], np.float32),
            target=np.asarray(data["camera"]["target"], np.float32),
            fov_y_deg=data["camera"]["fov_y_deg"],
        ),
        pose=first.name,
        poses=poses,
        face=first.face,
        plaque=np.asarray(data["plaque"]["corners"], np.float32),
        finishes=finish.read_all(
            tomllib.loads((_ROOT / "finishes.toml").read_text("utf-8")),
            data.get("finishes", {}),
            materials,
        ),
    )


def _face(data: Mapping[str, Any]) -> FacePlace:
    left, top, right, bottom = data["crop"]
    return FacePlace(
        origin=np.asarray(data["origin"], np.float32),
        width=data["width"],
        centre=np.asarray(data["centre"], np.float32),
        crop=(left, top, right, bottom),
        strap=data.get("strap", ""),
    )


@cache
def _digest(folder: Path) -> str:
    """Eight hex digits of the sha256 of a kit's baked files, `kit.toml` and `finishes.toml`, with
    every comment. Once a process: they are read in a tenth of a second."""
    files = [folder / "kit.toml", _ROOT / "finishes.toml", *sorted(folder.glob("baked/**/*"))]
    whole = hashlib.sha256()
    for file in files:
        if file.is_file():
            whole.update(bytes(file.relative_to(_ROOT)) + b"\0" + file.read_bytes())
    return whole.hexdigest()[:8]
