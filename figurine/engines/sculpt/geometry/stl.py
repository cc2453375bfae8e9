"""One watertight solid for a printer: millimetres, z up, standing on z = 0, facing -y."""

from __future__ import annotations

from collections.abc import Iterable

from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads, walls
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import from_solid, parted, solid
from figurine.engines.sculpt.geometry.pieces import Piece
from figurine.errors import NotSolid
from figurine.kits import Kit

HEAD_FACES = 60_000
_WELD_MM = 0.004
"""Edges shorter than this are closed up: far under what a printer resolves, and far over what the
file's 32-bit numbers do, so that no two corners fall together in it."""
_CRUMB = 1e-4
"""Share of the whole under which a lump that touches nothing is left out. Bubbles, whose volume
counts as negative, are filled: resin would be caught in them."""


def write(bust: Bust, kit: Kit, *, name: str, pieces: Iterable[Piece]) -> bytes:
    """A binary STL. Raises BadPlaque, MissingModel, NotSolid."""
    import manifold3d  # noqa: PLC0415 - only in a worker
    import trimesh  # noqa: PLC0415

    # 1. Everything joined.
    body = bodies.make(kit.name, kit.pose)
    head = heads.skull(bust.clay, kit, body.liner)
    least = bodies.WALL_MM / body.scale_mm
    solids = [
        bodies.solid_body(kit.name, kit.pose),
        solid(heads.light(head.mesh, faces=HEAD_FACES)),
    ]
    solids += [walls.reinforced(solid(piece.mesh), least=least) for piece in pieces]
    raised = letters(name, kit, solids[0])
    if raised is not None:
        solids.append(raised)
    whole = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)

    # 2. In millimetres, on the table, without slivers.
    turned = whole.translate((0, -body.foot, 0)).rotate((90, 0, 0))
    sized = turned.scale((body.scale_mm,) * 3).simplify(_WELD_MM)
    least_volume = _CRUMB * sized.volume()
    lumps = [lump for lump in sized.decompose() if lump.volume() > least_volume]
    if len(lumps) != 1:
        raise NotSolid(f"kit {kit.name!r} prints as {len(lumps)} pieces")
    mesh = parted(from_solid(lumps[0]), by=_WELD_MM / 2)
    solid_mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return bytes(trimesh.exchange.stl.export_stl(solid_mesh))
