"""Solids into one: `join`, and the same in a process of its own.

manifold3d needs 600 bytes a triangle while it joins: half a gigabyte for a squad, beside all that a
worker keeps between visitors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figurine import apart
from figurine.errors import NotSolid
from figurine.types import Array

Solid = tuple[Array, Array]
"""Vertices (V, 3) float64 and faces (F, 3), closed."""
_LEAN = {"MALLOC_MMAP_THRESHOLD_": "131072"}
"""glibc gives large blocks back as soon as they are free: 640 MB at most instead of 770."""


def join(solids: Sequence[Solid], *, turn: Array, weld: float, crumb: float) -> list[Solid]:
    """What the solids are together, placed by `turn` (3, 4): a solid for each lump of it.

    weld: edges shorter than this are closed up, in the units they are placed in. crumb: share of
    the whole's volume under which a lump is left out. Vertices are float32, faces int64.
    Raises NotSolid.
    """
    import manifold3d  # noqa: PLC0415 - only in a worker

    # Each step is taken when it is asked for, and until then holds what it is made of.
    parts = [solid(*each) for each in solids]
    whole = manifold3d.Manifold.batch_boolean(parts, manifold3d.OpType.Add)
    whole.num_tri()
    del parts
    whole = whole.transform(turn)
    whole.num_tri()
    whole = whole.simplify(weld)
    least_volume = crumb * whole.volume()
    lumps = [lump for lump in whole.decompose() if lump.volume() > least_volume]
    del whole
    return [_arrays(lump.to_mesh()) for lump in lumps]


def join_apart(solids: Sequence[Solid], *, turn: Array, weld: float, crumb: float) -> list[Solid]:
    """As `join`, in another process. Raises NotSolid, OutOfMemory."""
    given = {"turn": turn, "weld": weld, "crumb": crumb, **_numbered(solids)}
    return _listed(apart.run("figurine.joining", given, environment=_LEAN))


def _joined(given: apart.Arrays) -> dict[str, Array]:
    weld, crumb = float(given["weld"]), float(given["crumb"])
    return _numbered(join(_listed(given), turn=given["turn"], weld=weld, crumb=crumb))


def _listed(arrays: apart.Arrays) -> list[Solid]:
    count = sum(name.startswith("faces") for name in arrays)
    return [(arrays[f"vertices{number}"], arrays[f"faces{number}"]) for number in range(count)]


def _numbered(solids: Sequence[Solid]) -> dict[str, Array]:
    return {
        f"{name}{number}": array
        for number, solid in enumerate(solids)
        for name, array in zip(("vertices", "faces"), solid, strict=True)
    }


def solid(vertices: Array, faces: Array) -> Any:
    """As a manifold3d solid, in a tenth of a second for 100 000 triangles. Raises NotSolid."""
    import manifold3d  # noqa: PLC0415 - only in a worker

    made = manifold3d.Manifold(manifold3d.Mesh64(vertices, faces.astype(np.uint64)))
    if made.status() != manifold3d.Error.NoError:
        raise NotSolid(f"{len(faces)} triangles enclose nothing: {made.status()}")
    return made


def _arrays(output: Any) -> Solid:
    return np.array(output.vert_properties[:, :3]), np.array(output.tri_verts, np.int64)


if __name__ == "__main__":
    apart.serve(_joined)
