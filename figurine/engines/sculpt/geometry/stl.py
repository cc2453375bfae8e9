"""One watertight solid for a printer: millimetres, z up, standing on z = 0, facing -y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from figurine import joining
from figurine.engines.sculpt import backend
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads, troops, walls
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import Mesh, Stored, parted, solid, stored
from figurine.errors import NotSolid
from figurine.kits import Kit

HEAD_FACES, SQUAD_HEAD_FACES = 60_000, 32_000
_WELD_MM = 0.004
"""Edges shorter than this are closed up: far under what a printer resolves, and far over what the
file's 32-bit numbers do, so that no two corners fall together in it."""
_CRUMB = 1e-4
"""Share of the whole under which a lump that touches nothing is left out. Bubbles, whose volume
counts as negative, are filled: resin would be caught in them."""

_LARGE = 400_000
"""Triangles from which joining has a process of its own: most squads, nobody alone."""
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])


def write(bust: Bust, kit: Kit, *, name: str) -> bytes:
    """A binary STL. Raises BadPlaque, MissingModel, NotSolid."""
    body = bodies.make(kit.name, kit.pose)
    standing = bodies.sturdy(kit.name, kit.pose)
    solids = [standing, _head(bust, kit, body.liner), *_name(name, kit, standing)]
    return _file(solids, foot=body.foot, scale_mm=body.scale_mm)


def write_squad(
    busts: Sequence[Bust], kit: Kit, *, name: str, step: Callable[[float], None]
) -> bytes:
    """A binary STL of several on one base, left to right. Raises BadPlaque, MissingModel, NotSolid.

    Each is as large as one alone would be. step: told the share done after the base, each figure
    and each head.
    """
    # 1. The base with its name.
    step(0.0)
    backend.give_back()
    whole = 2 + 2 * len(busts)  # and then all are joined
    row = troops.line_up(kit.name, kit.pose, len(busts))
    backend.give_back()  # a new base takes the most of all
    base = troops.sturdy_base(kit.name, kit.pose, len(busts))
    solids = [base, *_name(name, replace(kit, plaque=row.plan.plaque(kit.plaque)), base)]
    step(1 / whole)

    # 2. Each figure, with what stands on its ground, and its head.
    for number, (bust, stance) in enumerate(zip(busts, row.stances, strict=True)):
        backend.give_back()
        solids += troops.standing(row, number)
        step((2 + 2 * number) / whole)
        over = troops.figure(stance.name, stance.pose).liner
        head = _head(bust, stance, over, faces=SQUAD_HEAD_FACES)
        solids.append(head.moved(troops.matrix(row.plan.places[number])))
        step((3 + 2 * number) / whole)
    backend.give_back()
    scale_mm = bodies.make(kit.name, kit.pose).scale_mm
    return _file(solids, foot=troops.FOOT, scale_mm=scale_mm)


def _head(bust: Bust, kit: Kit, liner: heads.Liner, *, faces: int = HEAD_FACES) -> Stored:
    """The lip under a hat is filled out; the face is before it, and stays as it is."""
    head = solid(heads.light(heads.skull(bust.clay, kit, liner).mesh, faces=faces))
    least = bodies.WALL_MM / bodies.make(kit.name, kit.pose).scale_mm
    return stored(walls.reinforced(head, least=least, behind_z=float(kit.face.centre[2])))


def _name(name: str, kit: Kit, base: Stored) -> list[Stored]:
    raised = letters(name, kit, base.solid()) if name else None
    return [] if raised is None else [stored(raised)]


def _file(solids: Sequence[Stored], *, foot: float, scale_mm: float) -> bytes:
    """All joined, in millimetres, on the table, without slivers."""
    upright = np.asarray([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, -foot]], np.float64) * scale_mm
    parts = [(each.vertices, each.faces) for each in solids]
    way = joining.join_apart if sum(len(each.faces) for each in solids) > _LARGE else joining.join
    lumps = way(parts, turn=upright, weld=_WELD_MM, crumb=_CRUMB)
    if len(lumps) != 1:
        raise NotSolid(f"it would print as {len(lumps)} pieces")
    return _binary(parted(Mesh(*lumps[0]), by=_WELD_MM / 2))


def _binary(mesh: Mesh) -> bytes:
    """80 bytes that say nothing, how many triangles, and each. Source: the format of
    stereolithography files, 3D Systems, 1989."""
    corners = mesh.vertices[mesh.faces]
    a, b, c = corners.astype(np.float64).transpose(1, 0, 2)
    facing = np.cross(b - a, c - a)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True) + 1e-300
    rows = np.zeros(len(corners), _TRIANGLE)
    rows["normal"], rows["corners"] = facing, corners
    return bytes(80) + len(rows).to_bytes(4, "little") + rows.tobytes()
