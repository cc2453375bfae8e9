"""A baked body: a mesh with a material a vertex, and its compact file."""

from __future__ import annotations

import io
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from figurine.types import Array


@dataclass(frozen=True)
class Body:
    vertices: Array
    """(V, 3) float32, units of the kit."""
    faces: NDArray[np.int32]
    """(F, 3), counter-clockwise from outside."""
    material: NDArray[np.uint8]
    """(V,) index into the kit's materials."""
    other_material: NDArray[np.uint8]
    """(V,) the neighbouring material, for a soft border."""
    share: NDArray[np.uint8]
    """(V,) how much of `material`, 0..255; the rest is `other_material`."""

    def above(self, y: float) -> Body:
        """The part of the body whose triangles lie above a height."""
        return self.part(self.faces[self.vertices[self.faces][..., 1].min(axis=1) > y])

    def part(self, faces: NDArray[np.int32]) -> Body:
        """What some of its triangles (N, 3) are of it."""
        used, index = np.unique(faces, return_inverse=True)
        return self._of(used.astype(np.int64), index.astype(np.int64))

    def coarser(self, where: NDArray[np.bool_], *, cell: float) -> Body:
        """The same body with these triangles (F,) made large: their corners move to the first
        corner in each cell of a grid, but for those they share with the others."""
        kept = np.unique(self.faces[~where])
        _, first, of_cell = np.unique(
            np.floor(self.vertices / cell).astype(np.int64) @ (1, 1 << 20, 1 << 40),
            return_index=True,
            return_inverse=True,
        )
        moved = first[of_cell]
        moved[kept] = kept
        faces = moved[self.faces]
        flat = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
        used, index = np.unique(faces[~flat], return_inverse=True)
        return self._of(used, index)

    def _of(self, vertices: NDArray[np.int64], faces: NDArray[np.int64]) -> Body:
        """A selection of vertices, and faces that count in it."""
        return Body(
            vertices=self.vertices[vertices],
            faces=faces.reshape(-1, 3).astype(np.int32),
            material=self.material[vertices],
            other_material=self.other_material[vertices],
            share=self.share[vertices],
        )


def save(body: Body, path: Path) -> None:
    """Write a file of about 6 bytes a vertex; positions are kept to 1/65535 of the box."""
    low, high = body.vertices.min(axis=0), body.vertices.max(axis=0)
    steps = np.round((body.vertices - low) / (high - low) * 65535).astype(np.int32)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        box=np.stack([low, high]).astype(np.float32),
        positions=_planes(np.diff(steps, axis=0, prepend=0)),
        faces=_planes(np.diff(body.faces, axis=0, prepend=0)),
        material=body.material,
        other_material=body.other_material,
        share=body.share,
    )
    path.write_bytes(lzma.compress(buffer.getvalue(), preset=9))


def load(path: Path) -> Body:
    with np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as file:
        low, high = file["box"]
        steps = np.cumsum(_from_planes(file["positions"]), axis=0)
        return Body(
            vertices=(low + steps.astype(np.float32) / 65535 * (high - low)).astype(np.float32),
            faces=np.cumsum(_from_planes(file["faces"]), axis=0).astype(np.int32),
            material=file["material"],
            other_material=file["other_material"],
            share=file["share"],
        )


def _planes(differences: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Signed numbers as four planes of bytes, small ones mostly zero: what lzma packs best."""
    folded = ((differences << 1) ^ (differences >> 31)).astype("<u4")
    return np.ascontiguousarray(folded.T[..., None].view(np.uint8).transpose(2, 0, 1))


def _from_planes(planes: NDArray[np.uint8]) -> NDArray[np.int32]:
    folded = np.ascontiguousarray(planes.transpose(1, 2, 0)).view("<u4")[..., 0].T
    return ((folded >> 1).astype(np.int32)) ^ -(folded & 1).astype(np.int32)
