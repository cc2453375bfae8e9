"""A model for phones and headsets: the surfaces of a figurine or a squad in their colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from figurine import kits
from figurine.engines.sculpt import bust, surface
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads, troops
from figurine.engines.sculpt.geometry.bodies import Coloured
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import Mesh, divided, from_solid, normals, solid
from figurine.engines.sculpt.geometry.packing import Coat, Surface, packed, srgb
from figurine.engines.sculpt.geometry.pieces import Piece
from figurine.engines.sculpt.terrain import Place
from figurine.kits import Finish, Kit
from figurine.types import Array, Pixels

HEAD_FACES = 36_000
SQUAD_HEADS_FACES = 50_000
"""Of all heads of a squad."""
_EMBOSSED = 1.35
"""A name without ink is this much lighter than its plate, as in the picture."""
_LINER_GAIN = 40.0
"""Degrees beyond the clay's rim that a vertex all of liner stands for, where the two compete."""


def write(made: Bust, kit: Kit, finish: Finish, *, name: str, pieces: Iterable[Piece]) -> bytes:
    """A GLB under 4 MB. Raises BadPlaque, MissingModel, NotSolid."""
    body = bodies.make(kit.name, kit.pose)
    texture = srgb(made.albedo[::-1])
    surfaces = [
        *_head(made, kit, finish, body.liner, texture=texture),
        *_coloured(bodies.coloured(kit.name, kit.pose), kit, finish, skin=made.skin),
        *_name(name, kit, finish, solid(body.print)),
        *(_piece(piece) for piece in pieces),
    ]
    return packed(_coated(surfaces, finish), scale=body.scale_mm / 1000, foot=body.foot)


def write_squad(busts: Sequence[Bust], kit: Kit, finish: Finish, *, name: str) -> bytes:
    """A GLB under 4 MB of several on one base, left to right; all faces in one texture.

    Raises BadPlaque, MissingModel, NotSolid.
    """
    # 1. Who stands where, on what.
    row = troops.line_up(kit.name, kit.pose, len(busts))
    texture, corners = _atlas([srgb(made.albedo[::-1]) for made in busts])
    ours = replace(kit, plaque=row.plan.plaque(kit.plaque))
    surfaces = [
        *_coloured(row.base, kit, finish, skin=busts[0].skin),
        *_name(name, ours, finish, troops.solid_base(kit.name, kit.pose, len(busts))),
    ]

    # 2. Each figure, and what stands on its ground.
    for number, (made, stance) in enumerate(zip(busts, row.stances, strict=True)):
        figure = troops.figure(stance.name, stance.pose)
        parts = [
            *_head(
                made,
                stance,
                finish,
                figure.liner,
                texture=texture,
                corner=corners[number],
                faces=min(HEAD_FACES, SQUAD_HEADS_FACES // len(busts)),
            ),
            *_coloured(
                troops.coloured(stance.name, stance.pose, len(busts)),
                stance,
                finish,
                skin=made.skin,
            ),
        ]
        for index in row.staying[number]:
            own = _coloured(figure.accessories[index].coloured, stance, finish, skin=made.skin)
            parts += [replace(part, name=f"{part.name} {index}") for part in own]
        surfaces += [_placed(part, number, row.plan.places[number]) for part in parts]
    scale_mm = bodies.make(kit.name, kit.pose).scale_mm
    return packed(_coated(surfaces, finish), scale=scale_mm / 1000, foot=0.0)


def _placed(part: Surface, number: int, place: Place) -> Surface:
    """A figure's surface under a name of its own; so is what has its sitter's skin."""
    coat = part.coat
    if coat.name in ("head", "skin"):
        coat = replace(coat, name=f"{coat.name} {number + 1}")
    return replace(part, name=f"{part.name} {number + 1}", coat=coat, place=place)


def _coated(surfaces: list[Surface], finish: Finish) -> list[Surface]:
    """All in the finish's kind of surface."""
    metallic = float(finish.surface == "metal")
    return [replace(each, coat=replace(each.coat, metallic=metallic)) for each in surfaces]


def _atlas(faces: Sequence[Pixels]) -> tuple[Pixels, list[tuple[int, int]]]:
    """All faces' textures in one, and the corner (x, y) of each from the upper left."""
    height, width = faces[0].shape[:2]
    columns = int(np.ceil(np.sqrt(len(faces))))
    rows = -(-len(faces) // columns)
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    corners = [((n % columns) * width, (n // columns) * height) for n in range(len(faces))]
    for face, (x, y) in zip(faces, corners, strict=True):
        whole[y : y + height, x : x + width] = face
    return whole, corners


def _head(
    made: Bust,
    kit: Kit,
    finish: Finish,
    over: heads.Liner,
    *,
    texture: Pixels,
    corner: tuple[int, int] = (0, 0),
    faces: int = HEAD_FACES,
) -> list[Surface]:
    """The face in its texture, the back of the head, and what fills the helmet.

    corner: where in the texture this face's begins.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    # 1. Fewer triangles; where each vertex lies is told by its direction.
    whole = heads.skull(made.clay, kit, over)
    light = heads.light(whole.mesh, faces=faces)
    tree = cKDTree(whole.mesh.vertices)
    nearest = tree.query(light.vertices)[1]

    # 2. Three parts, each to the line where the next begins.
    left, bottom, right, top = surface.SPAN_DEG
    at = whole.degrees[nearest]
    beyond = np.max([left - at[:, 0], at[:, 0] - right, bottom - at[:, 1], at[:, 1] - top], axis=0)
    lined = (whole.lined[nearest] - 0.5) * _LINER_GAIN
    face, back, liner = divided(
        light, np.stack([np.zeros_like(beyond), beyond + 1, lined], axis=1).astype(np.float32)
    )

    # 3. Coats.
    fine = normals(whole.mesh)
    skin_row = kit.materials.index("skin")
    roughness, gloss = _roughness(finish), float(finish.specular[skin_row])
    coats = [
        Coat("face", np.ones(3), roughness, gloss, texture=texture),
        Coat("head", made.skin, roughness, gloss),
    ]
    if over.material >= 0:
        coats.append(
            Coat(
                "liner",
                finish.palette[over.material],
                roughness,
                float(finish.specular[over.material]),
            )
        )
    surfaces = []
    for coat, part in zip(coats, (face, back, liner), strict=False):
        uv = None
        if coat.texture is not None:
            uv = _uv(part.vertices, kit, texels=texture.shape[:2], corner=corner)
        if len(part.faces):
            facing = fine[tree.query(part.vertices)[1]]
            surfaces.append(Surface(coat.name, coat, part, facing, uv))
    return surfaces


def _uv(points: Array, kit: Kit, *, texels: tuple[int, ...], corner: tuple[int, int]) -> Array:
    """Where in the upright texture each point of the head lies; v up, as trimesh has it."""
    degrees, _ = surface.to_degrees(points - kit.face.centre)
    height, width = texels
    x, y = bust.PAINT.pixels(degrees).T
    rows = bust.PAINT.shape[0]
    return np.asarray(
        np.stack(
            [(x + 0.5 + corner[0]) / width, 1 - (rows - y - 0.5 + corner[1]) / height], axis=1
        ),
        np.float32,
    )


def _coloured(parts: Sequence[Coloured], kit: Kit, finish: Finish, *, skin: Array) -> list[Surface]:
    skin_row = kit.materials.index("skin")
    return [
        Surface(
            part.name or kit.materials[part.material],
            Coat(
                kit.materials[part.material],
                skin if part.material == skin_row else finish.palette[part.material],
                _roughness(finish),
                float(finish.specular[part.material]),
            ),
            part.mesh,
            part.normals,
        )
        for part in parts
    ]


def _name(name: str, kit: Kit, finish: Finish, base: object) -> list[Surface]:
    raised = letters(name, kit, base)
    if raised is None:
        return []
    panel = finish.palette[kit.materials.index("base")]
    ink = kits.linear(finish.plaque_ink) if finish.plaque_ink else panel * _EMBOSSED
    mesh = _flat(from_solid(raised))
    return [Surface("name", Coat("name", ink, _roughness(finish)), mesh, normals(mesh))]


def _piece(piece: Piece) -> Surface:
    coat = Coat(piece.name, piece.colour, piece.roughness, opacity=piece.opacity)
    return Surface(piece.name, coat, piece.mesh, normals(piece.mesh))


def _flat(mesh: Mesh) -> Mesh:
    """The mesh with corners of its own for each triangle: edges stay sharp."""
    return Mesh(mesh.vertices[mesh.faces.ravel()], np.arange(mesh.faces.size).reshape(-1, 3))


def _roughness(finish: Finish) -> float:
    """glTF squares its roughness into the alpha that mitsuba takes. Source: glTF 2.0, B.2."""
    return float(np.sqrt(finish.roughness))
