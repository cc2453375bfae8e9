"""A model for phones and headsets: the surfaces of a figurine or a squad in their colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from figurine import kits
from figurine.engines.sculpt import backend, bust, surface
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads, patterns, troops
from figurine.engines.sculpt.geometry.bodies import Coloured
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import (
    Mesh,
    creased,
    divided,
    from_solid,
    normals,
    solid,
)
from figurine.engines.sculpt.geometry.packing import Coat, Skin, Surface, packed
from figurine.engines.sculpt.terrain import Place
from figurine.kits import Finish, Kit, body
from figurine.types import Array, Pixels

HEAD_FACES = 36_000
SQUAD_HEADS_FACES = 38_000
"""Of all heads of a squad."""
_GROUND_NEAREST = 48
"""Fine vertices of a squad's ground for one of its model's: it is thinned the most."""
_EMBOSSED = 2.0
"""A name without ink is this much lighter than its plate, on a pale one darker: in the picture
1.35, but there its edges shine far more."""
_NAME_POINTS = 1_800
"""Of a name's outlines, 100 bytes each, 200 with a slope: 3 Latin letters have 90, 16 dense Han
letters 4 000."""
_CREASE_DEG = 40.0
"""Edges of letters sharper than this stay sharp."""
_BACK = -0.9
"""Cosine to the plaque's normal of a letter's back."""
_LINER_GAIN = 40.0
"""Degrees beyond the clay's rim that a vertex all of liner stands for, where the two compete."""


def write(made: Bust, kit: Kit, finish: Finish, *, name: str) -> bytes:
    """A GLB under 4 MB. Raises BadPlaque, MissingModel, NotSolid."""
    standing = bodies.make(kit.name, kit.pose)
    face = patterns.face_skin(made, finish, metallic=_metallic(finish))
    surfaces = [
        *_head(made, kit, finish, standing.liner, skin=face),
        *_coloured(
            bodies.coloured(kit.name, kit.pose),
            kit,
            finish,
            skin=made.skin,
            uv=_body_uv(kit.name, kit.pose, finish.name),
        ),
        *name_of(name, kit, finish, solid(standing.print)),
    ]
    return packed(surfaces, scale=standing.scale_mm / 1000, foot=standing.foot)


def write_squad(
    busts: Sequence[Bust],
    kit: Kit,
    finish: Finish,
    *,
    name: str,
    step: Callable[[float], None],
) -> bytes:
    """A GLB under 4 MB of several on one base, left to right; all faces in one texture.

    step: told the share done after the base and each figure.
    Raises BadPlaque, MissingModel, NotSolid.
    """
    # 1. Who stands where, on what.
    step(0.0)
    backend.give_back()
    row = troops.line_up(kit.name, kit.pose, len(busts))
    face, corners = _atlas(
        [patterns.face_skin(made, finish, metallic=_metallic(finish)) for made in busts]
    )
    ours = replace(kit, plaque=row.plan.plaque(kit.plaque))
    surfaces = [
        *_coloured(
            row.base,
            kit,
            finish,
            skin=busts[0].skin,
            uv=_base_uv(kit.name, kit.pose, len(busts), finish.name),
        ),
        *name_of(name, ours, finish, solid(row.shells[troops.PLAQUE])),
    ]

    # 2. Each figure, and what stands on its ground.
    for number, (made, stance) in enumerate(zip(busts, row.stances, strict=True)):
        step((1 + number) / (2 + len(busts)))
        figure = troops.figure(stance.name, stance.pose)
        parts = [
            *_head(
                made,
                stance,
                finish,
                figure.liner,
                skin=face,
                corner=corners[number],
                faces=min(HEAD_FACES, SQUAD_HEADS_FACES // len(busts)),
            ),
            *_coloured(
                troops.coloured(stance.name, stance.pose, len(busts)),
                stance,
                finish,
                skin=made.skin,
                uv=_figure_uv(stance.name, stance.pose, len(busts), finish.name),
            ),
        ]
        uv = _accessories_uv(stance.name, stance.pose, finish.name)
        for index in row.staying[number]:
            own = _coloured(
                figure.accessories[index].coloured,
                stance,
                finish,
                skin=made.skin,
                uv=uv[index] if uv else (),
            )
            parts += [replace(part, name=f"{part.name} {index}") for part in own]
        surfaces += [_placed(part, number, row.plan.places[number]) for part in parts]
    step((1 + len(busts)) / (2 + len(busts)))
    scale_mm = bodies.make(kit.name, kit.pose).scale_mm
    return packed(surfaces, scale=scale_mm / 1000, foot=0.0)


def _placed(part: Surface, number: int, place: Place) -> Surface:
    """A figure's surface under a name of its own; so is what has its sitter's skin."""
    coat = part.coat
    if coat.name in ("head", "skin"):
        coat = replace(coat, name=f"{coat.name} {number + 1}")
    return replace(part, name=f"{part.name} {number + 1}", coat=coat, place=place)


def _metallic(finish: Finish) -> float:
    return float(finish.surface == "metal")


@lru_cache(maxsize=bodies.KEPT)
def _body_uv(name: str, pose: str, finish: str) -> tuple[Array, ...]:
    """Of a body's parts, where they lie in the finish's patterns; none without patterns."""
    kit = kits.load(name).posed(pose)
    if not patterns.is_patterned(kit.finish(finish)):
        return ()
    pattern = patterns.of(body.load(kit.baked("body.xz")), kit.finish(finish))
    return tuple(pattern.uv(part.mesh.vertices) for part in bodies.coloured(name, pose))


@lru_cache(maxsize=bodies.KEPT)
def _figure_uv(name: str, pose: str, count: int, finish: str) -> tuple[Array, ...]:
    """The same of a squad's figure."""
    coat = kits.load(name).finish(finish)
    if not patterns.is_patterned(coat):
        return ()
    pattern = patterns.of(troops.figure(name, pose).baked, coat)
    return tuple(pattern.uv(part.mesh.vertices) for part in troops.coloured(name, pose, count))


@lru_cache(maxsize=bodies.KEPT)
def _accessories_uv(name: str, pose: str, finish: str) -> tuple[tuple[Array, ...], ...]:
    """The same of each thing that stands on a figure's ground."""
    coat = kits.load(name).finish(finish)
    if not patterns.is_patterned(coat):
        return ()
    found = []
    for each in troops.figure(name, pose).accessories:
        pattern = patterns.of(each.baked, coat)
        # Grass is about as fine as it was baked, a flag's cloth a hundred times coarser.
        coarser = len(each.baked.faces) // max(1, len(each.print.faces))
        nearest = int(np.clip(coarser, patterns.NEAREST, _GROUND_NEAREST))
        found.append(
            tuple(pattern.uv(part.mesh.vertices, nearest=nearest) for part in each.coloured)
        )
    return tuple(found)


@lru_cache(maxsize=bodies.KEPT)
def _base_uv(name: str, pose: str, count: int, finish: str) -> tuple[Array, ...]:
    """The same of a squad's base."""
    coat = kits.load(name).finish(finish)
    if not patterns.is_patterned(coat):
        return ()
    row = troops.line_up(name, pose, count)
    pattern = patterns.of(row.fine_base, coat)
    return tuple(pattern.uv(part.mesh.vertices, nearest=_GROUND_NEAREST) for part in row.base)


def _atlas(faces: Sequence[Skin]) -> tuple[Skin, list[tuple[int, int]]]:
    """All faces' textures in one, and the corner (x, y) of each from the upper left."""
    height, width = faces[0].colour.shape[:2]
    columns = int(np.ceil(np.sqrt(len(faces))))
    rows = -(-len(faces) // columns)
    corners = [((n % columns) * width, (n // columns) * height) for n in range(len(faces))]

    def sheet(pictures: Sequence[Pixels]) -> Pixels:
        whole = np.zeros((rows * height, columns * width, 3), np.uint8)
        for picture, (x, y) in zip(pictures, corners, strict=True):
            whole[y : y + height, x : x + width] = picture
        return whole

    rough = [face.rough_metal for face in faces if face.rough_metal is not None]
    glow = [face.glow for face in faces if face.glow is not None]
    colour = sheet([face.colour for face in faces])
    return Skin(colour, sheet(rough) if rough else None, sheet(glow) if glow else None), corners


def _head(
    made: Bust,
    kit: Kit,
    finish: Finish,
    over: heads.Liner,
    *,
    skin: Skin,
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
    gloss = float(finish.specular[skin_row])
    bare = finish.on_face()
    plain = Coat("face", np.ones(3), _roughness(bare), gloss, metallic=_metallic(finish))
    coats = [
        replace(plain, skin=skin, glow=patterns.glow(made.skin, finish)),
        _coat("head", made.skin, bare, gloss),
    ]
    if over.material >= 0:
        colour, gloss = finish.palette[over.material], float(finish.specular[over.material])
        coats.append(_coat("liner", colour, finish, gloss))
    surfaces = []
    for coat, part in zip(coats, (face, back, liner), strict=False):
        if coat.name == "face":
            uv = _uv(part.vertices, kit, texels=skin.colour.shape[:2], corner=corner)
        else:
            uv = patterns.plain_uv(part.vertices, finish)
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


def _coloured(
    parts: Sequence[Coloured],
    kit: Kit,
    finish: Finish,
    *,
    skin: Array,
    uv: Sequence[Array] = (),
) -> list[Surface]:
    """uv: of each part, where it lies in the finish's patterns."""
    skin_row = kit.materials.index("skin")
    at = uv or [patterns.plain_uv(part.mesh.vertices, finish) for part in parts]
    return [
        Surface(
            part.name or kit.materials[part.material],
            _coat(
                kit.materials[part.material],
                skin if part.material == skin_row else finish.palette[part.material],
                finish,
                float(finish.specular[part.material]),
            ),
            part.mesh,
            part.normals,
            own,
        )
        for part, own in zip(parts, at, strict=True)
    ]


def _coat(name: str, colour: Array, finish: Finish, gloss: float) -> Coat:
    """A surface of one colour, with the finish's patterns if it has any."""
    metallic = _metallic(finish)
    plain = Coat(name, colour, _roughness(finish), gloss, metallic=metallic)
    if patterns.is_patterned(finish):
        own = patterns.skin(colour, finish, metallic=metallic)
        plain = replace(plain, colour=np.ones(3), skin=own)
    return replace(plain, glow=patterns.glow(colour, finish))


def name_of(name: str, kit: Kit, finish: Finish, base: object) -> list[Surface]:
    """The letters on a kit's plaque, as they stand on a manifold3d solid; none without a name."""
    raised = letters(name, kit, base, most_points=_NAME_POINTS)
    if raised is None:
        return []
    panel = finish.palette[kit.materials.index("base")]
    ink = kits.linear(finish.plaque_ink) if finish.plaque_ink else embossed(panel)
    mesh = creased(_seen(from_solid(raised), kit), angle_deg=_CREASE_DEG)
    # Paint, as in the picture, on metal too: there it would mirror what the plate mirrors.
    coat = Coat(
        "name", ink * finish.room, _roughness(finish.on_face()), glow=patterns.glow(ink, finish)
    )
    return [Surface("name", coat, mesh, normals(mesh))]


def embossed(panel: Array) -> Array:
    """Letters' colour on this one where no ink is given, linear RGB: lighter, or darker on pale."""
    return np.asarray(panel * _EMBOSSED if panel.max() * _EMBOSSED <= 1 else panel / _EMBOSSED)


def _seen(mesh: Mesh, kit: Kit) -> Mesh:
    """Letters without their backs, which lie in the plaque."""
    left, right, below = kit.plaque[:3].astype(np.float64)
    out = np.cross(right - left, right - below)
    out /= np.linalg.norm(out)
    a, b, c = mesh.vertices[mesh.faces].astype(np.float64).transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    away = face @ out / (np.linalg.norm(face, axis=1) + 1e-300)
    return mesh.only(away > _BACK)


def _roughness(finish: Finish) -> float:
    """glTF squares its roughness into the alpha that mitsuba takes. Source: glTF 2.0, B.2."""
    return float(np.sqrt(finish.roughness))
