"""One watertight solid for a printer: millimetres, z up, standing on z = 0, facing -y."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads, troops, walls
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import from_solid, parted, solid
from figurine.engines.sculpt.geometry.pieces import Piece
from figurine.errors import NotSolid
from figurine.kits import Kit

HEAD_FACES, SQUAD_HEAD_FACES = 60_000, 32_000
_WELD_MM = 0.004
"""Edges shorter than this are closed up: far under what a printer resolves, and far over what the
file's 32-bit numbers do, so that no two corners fall together in it."""
_CRUMB = 1e-4
"""Share of the whole under which a lump that touches nothing is left out. Bubbles, whose volume
counts as negative, are filled: resin would be caught in them."""


def write(bust: Bust, kit: Kit, *, name: str, pieces: Iterable[Piece]) -> bytes:
    """A binary STL. Raises BadPlaque, MissingModel, NotSolid."""
    body = bodies.make(kit.name, kit.pose)
    least = bodies.WALL_MM / body.scale_mm
    standing = bodies.solid_body(kit.name, kit.pose)
    solids = [standing, _head(bust, kit, body.liner)]
    solids += [walls.reinforced(solid(piece.mesh), least=least) for piece in pieces]
    return _file([*solids, *_name(name, kit, standing)], foot=body.foot, scale_mm=body.scale_mm)


def write_squad(
    busts: Sequence[Bust], kit: Kit, *, name: str, step: Callable[[float], None]
) -> bytes:
    """A binary STL of several on one base, left to right. Raises BadPlaque, MissingModel, NotSolid.

    Each is as large as one alone would be. step: told the share done after each solid.
    """
    step(0.0)
    row = troops.line_up(kit.name, kit.pose, len(busts))
    # The base, figures with what stands on their ground, heads, and all joined.
    whole = 2 + 2 * len(busts) + sum(map(len, row.staying))
    solids: list[Any] = []
    for each in troops.solids(row):
        solids.append(each)
        step(len(solids) / whole)
    done = len(solids)
    ours = replace(kit, plaque=row.plan.plaque(kit.plaque))
    solids += _name(name, ours, solids[0])
    for bust, stance, place in zip(busts, row.stances, row.plan.places, strict=True):
        over = troops.figure(stance.name, stance.pose).liner
        head = _head(bust, stance, over, faces=SQUAD_HEAD_FACES)
        solids.append(head.transform(troops.matrix(place)))
        done += 1
        step(done / whole)
    scale_mm = bodies.make(kit.name, kit.pose).scale_mm
    return _file(solids, foot=troops.FOOT, scale_mm=scale_mm)


def _head(bust: Bust, kit: Kit, liner: heads.Liner, *, faces: int = HEAD_FACES) -> Any:
    """The lip under a hat is filled out; the face is before it, and stays as it is."""
    head = solid(heads.light(heads.skull(bust.clay, kit, liner).mesh, faces=faces))
    least = bodies.WALL_MM / bodies.make(kit.name, kit.pose).scale_mm
    return walls.reinforced(head, least=least, behind_z=float(kit.face.centre[2]))


def _name(name: str, kit: Kit, base: Any) -> list[Any]:
    raised = letters(name, kit, base)
    return [] if raised is None else [raised]


def _file(solids: list[Any], *, foot: float, scale_mm: float) -> bytes:
    """All joined, in millimetres, on the table, without slivers."""
    import manifold3d  # noqa: PLC0415 - only in a worker
    import trimesh  # noqa: PLC0415

    whole = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)
    turned = whole.translate((0, -foot, 0)).rotate((90, 0, 0))
    sized = turned.scale((scale_mm,) * 3).simplify(_WELD_MM)
    least_volume = _CRUMB * sized.volume()
    lumps = [lump for lump in sized.decompose() if lump.volume() > least_volume]
    if len(lumps) != 1:
        raise NotSolid(f"it would print as {len(lumps)} pieces")
    mesh = parted(from_solid(lumps[0]), by=_WELD_MM / 2)
    solid_mesh = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return bytes(trimesh.exchange.stl.export_stl(solid_mesh))
