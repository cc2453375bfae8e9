"""Triangles: closed, thinned out, cut where the material changes, and told apart by lump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from figurine import joining, thinning
from figurine.errors import NotSolid
from figurine.types import Array

Index = NDArray[np.signedinteger[Any]]

_LARGE = 200_000
"""Triangles from which thinning has a process of its own: a hill's rock has 340 000, and would
leave 100 MB behind."""

_PARTINGS = 8
"""Times that corners in one place are drawn apart: once does, unless they fall onto others."""


@dataclass(frozen=True)
class Mesh:
    vertices: Array
    """(V, 3) float32."""
    faces: Index
    """(F, 3), counter-clockwise from outside."""

    def moved(self, offsets: Array) -> Mesh:
        """The same triangles, each vertex moved by its row of `offsets` (V, 3)."""
        return Mesh((self.vertices + offsets).astype(np.float32), self.faces)

    def only(self, kept: NDArray[np.bool_]) -> Mesh:
        """These triangles alone, without the vertices that none of them uses."""
        used, index = np.unique(self.faces[kept], return_inverse=True)
        return Mesh(self.vertices[used], index.reshape(-1, 3).astype(np.int64))


def normals(mesh: Mesh) -> Array:
    """(V, 3) float32 unit normals, each triangle counting by its area."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    count = len(mesh.vertices)
    total = np.zeros((count, 3), np.float32)
    for axis in range(3):
        weight = face[:, axis].astype(np.float64)
        for corner in range(3):
            total[:, axis] += np.bincount(mesh.faces[:, corner], weight, count)
    return np.asarray(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12), np.float32)


def creased(mesh: Mesh, *, angle_deg: float) -> Mesh:
    """The same triangles, with corners of their own on both sides of edges sharper than this."""
    # 1. Each edge's two half edges, one from either side.
    count = len(mesh.vertices)
    starts = mesh.faces.ravel().astype(np.int64)
    ends = np.roll(mesh.faces, -1, axis=1).ravel().astype(np.int64)
    ways, back = starts * count + ends, ends * count + starts
    order = np.argsort(ways)
    other = order[np.minimum(np.searchsorted(ways, back, sorter=order), len(ways) - 1)]

    # 2. Corners across a soft edge are one.
    a, b, c = mesh.vertices[mesh.faces].astype(np.float64).transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    face /= np.linalg.norm(face, axis=1, keepdims=True) + 1e-300
    half = np.arange(len(ways))
    soft = np.einsum("ij,ij->i", face[half // 3], face[other // 3]) > np.cos(np.radians(angle_deg))
    soft &= ways[other] == back
    here, there = half[soft], other[soft]
    following = there // 3 * 3 + (there + 1) % 3
    corner = _lumps(np.stack([here, following], axis=1), len(ways))
    _, first = np.unique(corner, return_index=True)
    return Mesh(mesh.vertices[starts[first]], corner.reshape(-1, 3).astype(np.int64))


def closed(mesh: Mesh, *, root: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    """Every open border closed by a fan to its middle: a sculpt's box cuts what reaches below.

    root: how far a border is drawn out before, to reach into what it stands on.
    """
    # 1. Half edges without a partner, each once; a border vertex has one going out.
    count = len(mesh.vertices)
    starts = mesh.faces.ravel()
    ends = np.roll(mesh.faces, -1, axis=1).ravel()
    ways = np.sort(starts.astype(np.int64) * count + ends)
    back = ends.astype(np.int64) * count + starts
    lone = ways[np.minimum(np.searchsorted(ways, back), len(ways) - 1)] != back
    border = np.stack([starts[lone], ends[lone]], axis=1).astype(np.int64)
    if not len(border):
        return mesh

    # 2. Drawn out.
    vertices, faces = [mesh.vertices], [mesh.faces]
    if any(root):
        rim, index = np.unique(border, return_inverse=True)
        deep = count + index.reshape(-1, 2)
        (a, b), (c, d) = border.T, deep.T
        faces += [np.column_stack([b, a, c]), np.column_stack([b, c, d])]
        vertices.append(mesh.vertices[rim] + np.asarray(root, np.float32))
        border, count = deep, count + len(rim)

    # 3. What of it hangs together, and a fan over each loop.
    _, loop = np.unique(_lumps(border, count)[border[:, 0]], return_inverse=True)
    ring = np.concatenate(vertices)[border[:, 0]]
    middles = np.stack(
        [np.bincount(loop, ring[:, axis]) / np.bincount(loop) for axis in range(3)], axis=1
    )
    faces.append(np.column_stack([border[:, 1], border[:, 0], count + loop]))
    return Mesh(
        np.concatenate([*vertices, middles]).astype(np.float32),
        np.concatenate(faces).astype(mesh.faces.dtype),
    )


def _lumps(edges: Index, count: int) -> NDArray[np.int32]:
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy, and only in a worker
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    links = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), (count, count))
    return np.asarray(connected_components(links, directed=False)[1])


def lumps(mesh: Mesh, *, least_volume: float) -> list[Mesh]:
    """The parts that do not hang together, largest first; bubbles and crumbs are left out."""
    edges = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    of_face = _lumps(edges, len(mesh.vertices))[mesh.faces[:, 0]]
    a, b, c = mesh.vertices[mesh.faces].astype(np.float64).transpose(1, 0, 2)
    volumes = np.bincount(of_face, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)
    order = np.argsort(-volumes, kind="stable")
    return [mesh.only(of_face == lump) for lump in order if volumes[lump] > least_volume]


def joined(meshes: list[Mesh]) -> Mesh:
    """All of them as one list of triangles, nothing merged."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(
            [mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
        ),
    )


def thinned(mesh: Mesh, *, faces: int) -> Mesh:
    """About as many triangles as asked for, where the shape needs them."""
    if len(mesh.faces) <= faces:
        return mesh
    way = thinning.thin_apart if len(mesh.faces) > _LARGE else thinning.thin
    return Mesh(*way(mesh.vertices, mesh.faces, count=faces))


def spread(mesh: Mesh, *, longest: float) -> Mesh:
    """The same shape, closed, without edges much longer than this: on a level that thinning left
    with none but its border's vertices, normals and patterns run from there to the middle.

    Raises NotSolid.
    """
    return from_solid(solid(mesh).refine_to_length(longest))


def divided(mesh: Mesh, affinity: Array) -> list[Mesh]:
    """A mesh for each column of `affinity` (V, L): where that column is the largest.

    Triangles are cut along the border, so that it runs smoothly across them; both sides have the
    same points there.
    """
    # 1. Cut edges: once each, where the two ends' favourites are level.
    label = affinity.argmax(axis=1)
    mixed = (label[mesh.faces] != label[mesh.faces[:, :1]]).any(axis=1)
    torn = mesh.faces[mixed]
    count = len(mesh.vertices)
    ends = np.sort(np.concatenate([torn[:, [0, 1]], torn[:, [1, 2]], torn[:, [2, 0]]]), axis=1)
    ends = ends[label[ends[:, 0]] != label[ends[:, 1]]]
    keys = np.unique(ends[:, 0] * count + ends[:, 1])
    i, j = keys // count, keys % count
    lead_i = affinity[i, label[i]] - affinity[i, label[j]]
    lead_j = affinity[j, label[j]] - affinity[j, label[i]]
    share = np.clip(lead_i / np.maximum(lead_i + lead_j, 1e-9), 0.1, 0.9)[:, None]
    cuts = mesh.vertices[i] * (1 - share) + mesh.vertices[j] * share

    def cut(a: Index, b: Index) -> Index:
        at = np.searchsorted(keys, np.minimum(a, b) * count + np.maximum(a, b))
        return np.asarray(count + at, np.int64)

    # 2. Two labels: the lone corner first, then one triangle and two.
    same = label[torn] == label[np.roll(torn, -1, axis=1)]
    three = ~same.any(axis=1)
    turn = (np.argmax(same, axis=1)[:, None] + 2 + np.arange(3)) % 3
    a, b, c = np.take_along_axis(torn, turn, axis=1)[~three].T
    p, q = cut(a, b), cut(a, c)
    pieces = [(a, p, q, label[a]), (p, b, c, label[b]), (p, c, q, label[b])]

    # 3. Three labels: each corner keeps the quarter around it.
    corners = torn[three]
    middles = mesh.vertices[corners].mean(axis=1)
    middle = count + len(keys) + np.arange(len(corners))
    for k in range(3):
        a, b, c = np.roll(corners, -k, axis=1).T
        p, q = cut(a, b), cut(a, c)
        pieces += [(a, p, middle, label[a]), (a, middle, q, label[a])]

    vertices = np.concatenate([mesh.vertices, cuts, middles]).astype(np.float32)
    whole = mesh.faces[~mixed]
    faces = np.concatenate([whole, *(np.stack(piece[:3], axis=1) for piece in pieces)])
    of_face = np.concatenate([label[whole[:, 0]], *(piece[3] for piece in pieces)])
    everything = Mesh(vertices, faces)
    return [everything.only(of_face == number) for number in range(affinity.shape[1])]


def solid(mesh: Mesh) -> Any:
    """The mesh as a manifold3d solid. Raises NotSolid where it has holes or folds."""
    import manifold3d  # noqa: PLC0415 - only in a worker

    made = manifold3d.Manifold(
        manifold3d.Mesh(
            np.ascontiguousarray(mesh.vertices, np.float32),
            np.ascontiguousarray(mesh.faces, np.uint32),
        )
    )
    if made.status() != manifold3d.Error.NoError:
        raise NotSolid(f"{len(mesh.faces)} triangles enclose nothing: {made.status()}")
    return made


def from_solid(made: Any) -> Mesh:
    output = made.to_mesh()
    return Mesh(np.array(output.vert_properties[:, :3]), np.asarray(output.tri_verts, np.int64))


@dataclass(frozen=True)
class Stored:
    """A solid as it is kept: in a tenth of the memory that manifold3d needs to work with it."""

    vertices: Array
    """(V, 3) float64."""
    faces: Index
    """(F, 3) int32."""

    def moved(self, turn: Array) -> Stored:
        """Placed by a matrix (3, 4)."""
        return Stored(self.vertices @ turn[:, :3].T + turn[:, 3], self.faces)

    def solid(self) -> Any:
        """As a manifold3d solid again."""
        return joining.solid(self.vertices, self.faces)


def stored(made: Any) -> Stored:
    output = made.to_mesh64()
    return Stored(
        np.array(output.vert_properties[:, :3], np.float64), np.array(output.tri_verts, np.int32)
    )


def parted(mesh: Mesh, *, by: float) -> Mesh:
    """Corners that lie in one place without being one drawn back into the solid by `by`.

    Where two sheets touch in an edge, a file of loose triangles would join all four of its sides.
    Raises NotSolid where they stay together.
    """
    for _ in range(_PARTINGS):
        _, first, count = np.unique(mesh.vertices, axis=0, return_inverse=True, return_counts=True)
        shared = count[first.ravel()] > 1
        if not shared.any():
            return mesh
        mesh = mesh.moved(-by * normals(mesh) * shared[:, None])
    raise NotSolid(f"{int(shared.sum())} corners lie in one place with others")
