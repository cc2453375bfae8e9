"""The nouns of the library. All frozen; arrays in them are read-only by agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Array = NDArray[Any]
"""For arithmetic that numpy's types widen; docstrings say what is in it."""
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class Face:
    """One face as found in a selfie. All coordinates in pixels of the upright selfie."""

    box: tuple[float, float, float, float]
    """x, y, width, height of the detector's box."""
    score: float
    """Detector's confidence, 0..1."""
    mesh: Floats
    """(468, 3) float32: x right, y down, z away from the viewer, all in pixels. MediaPipe order."""
    mesh_score: float
    """Mesh model's confidence that this is a face, 0..1."""
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    width_px: float
    """Distance between the mesh's cheek edges (points 234 and 454)."""
    luma: float
    """Median luma of the face, 0..1."""
    sharpness: float
    """Scale-free focus measure of the face; the threshold stands in gate.py."""
    unrest: float = 0.0
    """How far the mesh moves from crop to crop, in face widths; the threshold stands in cover.py.
    0 where it was not measured.
    """

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and lists, for a trip through a pipe; `from_json` is the way back."""
        return {
            "box": list(self.box),
            "score": self.score,
            "mesh": self.mesh.round(3).tolist(),
            "mesh_score": self.mesh_score,
            "yaw_deg": self.yaw_deg,
            "pitch_deg": self.pitch_deg,
            "roll_deg": self.roll_deg,
            "width_px": self.width_px,
            "luma": self.luma,
            "sharpness": self.sharpness,
            "unrest": self.unrest,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Face:
        x, y, width, height = data["box"]
        return cls(
            **{
                **data,
                "box": (x, y, width, height),
                "mesh": np.asarray(data["mesh"], np.float32).reshape(468, 3),
            }
        )


@dataclass(frozen=True)
class Selfie:
    """An upright, bounded photo and the faces that passed the gate, left to right."""

    pixels: Pixels
    """(H, W, 3) uint8, sRGB."""
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Recipe:
    """How a figurine is made. Stored with it, so that it can be made again."""

    engine: str
    kit: str
    finish: str
    plaque: str = ""
    version: int = 1
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What only one engine or kit understands (pose, spp …)."""

    def as_json(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "kit": self.kit,
            "finish": self.finish,
            "plaque": self.plaque,
            "version": self.version,
            "options": dict(self.options),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        return cls(**data)


@dataclass(frozen=True)
class Candidate:
    """A figurine not yet chosen."""

    still: Pixels
    """(1350, 1080, 3) uint8 sRGB, on the kit's backdrop."""
    cutout: Pixels
    """(1350, 1080, 4) uint8 sRGB with straight alpha: the figurine and its base, nothing else."""
    recipe: Recipe
    seed: int
    engine_version: str
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    likeness: float | None = None
    """Cosine of the figurine's face and the selfie's, -1..1; of a squad the lowest. None where
    nobody has measured it. Never an embedding: those live in memory only.
    """
    marks: tuple[str, ...] = ()
    """Codes of what the crew should look at (figurine/marks.py)."""
    cost_usd: float = 0.0
    """What a provider takes for it."""


@dataclass(frozen=True)
class Clip:
    """A figurine that moves: the same seamless loop, encoded twice."""

    mp4: bytes
    """H.264, for phones and for sharing."""
    webm: bytes
    """For browsers without H.264."""


@dataclass(frozen=True)
class SafetyScores:
    """What the safety model says. 0..1, higher is worse. Decides nothing."""

    nsfw: float
