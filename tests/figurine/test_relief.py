"""engines/sculpt/light and relief: what of a photo is the face, and what is its light and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from figurine.decode import decode
from figurine.engines.sculpt import bust, light, relief, surface
from figurine.gate import admit
from figurine.kits import load
from figurine.types import Array, Pixels, Selfie
from tests.odd import upload

GRID = surface.Grid(1.0).face


def test_hollows_of_both_sides_are_drawn_in_and_the_lamp_of_one_side_is_not() -> None:
    across, up = np.moveaxis(GRID.degrees(), -1, 0)
    hollows = np.exp(-(((np.abs(across) - 30) / 12) ** 2) - ((up + 10) / 12) ** 2)
    lamp = 1 + 0.4 * across / 80
    all_of_it = np.ones(GRID.shape, np.float32)
    skin = light.Skin(inside=all_of_it, bare=all_of_it, features=np.zeros_like(all_of_it))
    radius = (0.2 - 1e-5 * (across**2 + up**2)).astype(np.float32)
    luminance = (0.4 * lamp * np.exp(-0.6 * hollows)).astype(np.float32)

    drawn, bare = (light.removed(luminance, radius, skin, GRID, form=form) for form in (1.0, 0.0))

    left, right = ((np.abs(across - side) < 4) & (np.abs(up + 10) < 4) for side in (-30, 30))
    assert drawn[left].mean() < bare[left].mean() - 0.15
    assert drawn[right].mean() < bare[right].mean() - 0.15
    assert abs(drawn[left].mean() - drawn[right].mean()) < 0.06


def test_light_that_no_bare_skin_tells_about_is_not_drawn_in() -> None:
    everywhere = np.ones(GRID.shape, np.float32)
    skin = light.Skin(inside=everywhere, bare=0 * everywhere, features=0 * everywhere)
    drawn = light.removed(0.4 * everywhere, 0.2 * everywhere, skin, GRID, form=1.0)
    assert np.abs(drawn).max() < 0.01


def test_faint_mottling_of_bare_skin_goes_and_a_line_stays(selfie: Selfie) -> None:
    cheek = _around(selfie, 12)
    rows, columns = np.mgrid[-12:13, -12:13]
    spots = 1 + 0.05 * np.sin(rows / 1.5) * np.sin(columns / 1.5)
    line = 1 - 0.6 * (np.abs(rows) < 2)

    plain, spotted, lined = (
        _cheek(replace(selfie, pixels=_tinted(selfie, cheek, tint)))
        for tint in (np.ones(rows.shape), spots, line)
    )

    # In log-luminance the spots are 0.1 either way, twice what they are in sRGB.
    assert np.abs(spotted - plain).mean() < 0.03
    assert (lined - plain).min() < -0.4


def test_one_colour_draws_what_is_red_in_the_skin_and_paint_does_not(selfie: Selfie) -> None:
    """A flush of the same luminance: paint has red for it, plastic would lose it."""
    spot = _around(selfie, 12)
    away = np.hypot(*np.mgrid[-12:13, -12:13])[..., None]
    linear = (selfie.pixels[spot] / np.float32(255)) ** 2.2
    red = linear * np.asarray([1.6, 0.82, 0.7])
    luma = np.asarray(relief.PAINTER.plate)
    red *= (linear @ luma / (red @ luma))[..., None]
    pixels = selfie.pixels.copy()
    pixels[spot] = np.round(255 * np.where(away < 5, red, linear).clip(0, 1) ** (1 / 2.2))
    flushed = replace(selfie, pixels=pixels)

    drawn = {
        hand: (_cheek(flushed, hand) - _cheek(selfie, hand)).min()
        for hand in (relief.PAINTER, relief.CASTER)
    }

    assert drawn[relief.CASTER] < -0.15 < drawn[relief.PAINTER]


def test_portrait_of_a_dark_photo_has_the_same_detail(selfie: Selfie) -> None:
    """Relief works on log-luminance, so that exposure and skin do not flatten it."""
    darker = replace(selfie, pixels=_dimmed(selfie.pixels, stops=1.0))
    bright, dark = _portrait(selfie), _portrait(darker)
    seen = bright.weight > 0.9
    assert np.corrcoef(bright.detail[seen], dark.detail[seen])[0, 1] > 0.97
    assert dark.detail[seen].std() > 0.75 * bright.detail[seen].std()


def test_light_from_one_side_is_not_part_of_the_face(selfie: Selfie) -> None:
    """Half the face at a third of the light: the detail stays, and no side is darker for it."""
    columns = selfie.pixels.shape[1]
    middle, width = selfie.faces[0].mesh[:, 0].mean(), selfie.faces[0].width_px
    across = np.clip((np.arange(columns) - middle) / width + 0.5, 0, 1)
    lit = (selfie.pixels / np.float32(255)) ** 2.2 * (1 - 0.67 * across)[None, :, None]
    shaded = np.asarray(np.round(lit ** (1 / 2.2) * 255), np.uint8)
    even, uneven = _portrait(selfie), _portrait(replace(selfie, pixels=shaded))
    seen = even.weight > 0.9
    assert np.corrcoef(even.detail[seen], uneven.detail[seen])[0, 1] > 0.9
    half = even.detail.shape[1] // 2
    left, right = uneven.detail[:, :half][seen[:, :half]], uneven.detail[:, half:][seen[:, half:]]
    assert abs(left.mean() - right.mean()) < 0.1


def _portrait(selfie: Selfie, hand: relief.Hand = relief.PAINTER) -> relief.Portrait:
    head = bust.measure(selfie.faces[0], load("soldier"))
    return relief.flatten(selfie, head, grid=bust.PAINT.face, hand=hand)


def _around(selfie: Selfie, reach_px: int) -> tuple[slice, slice]:
    """Pixels of the cheek."""
    column, row = selfie.faces[0].mesh[50, :2].round().astype(int)
    return (
        slice(row - reach_px, row + reach_px + 1),
        slice(column - reach_px, column + reach_px + 1),
    )


def _cheek(selfie: Selfie, hand: relief.Hand = relief.PAINTER) -> Array:
    portrait = _portrait(selfie, hand)
    column, row = portrait.points[50].round().astype(int)
    return portrait.detail[row - 14 : row + 15, column - 14 : column + 15]


def _tinted(selfie: Selfie, where: tuple[slice, slice], tint: Array) -> np.ndarray:
    pixels = selfie.pixels.copy()
    pixels[where] = np.clip(np.round(pixels[where] * tint[..., None]), 0, 255).astype(np.uint8)
    return pixels


def _dimmed(pixels: Pixels, *, stops: float) -> Pixels:
    linear = (pixels / np.float32(255)) ** 2.2 / 2**stops
    return np.asarray(np.round(linear ** (1 / 2.2) * 255), np.uint8)


def test_side_the_camera_hardly_saw_gives_way_to_the_other() -> None:
    density = np.asarray([[1.0, 1.0, 1.0, 1.0, 0.25, 0.25]], np.float32)
    assert relief._faced(density).ravel().tolist() == [1, 1, 1, 1, 0, 0]
    even = np.full((1, 6), 0.5, np.float32)
    assert relief._faced(even).min() == 1
    assert relief._faced(np.full((1, 6), 0.1, np.float32)).max() == 0


def test_far_half_of_a_turned_face_mirrors_the_near_one() -> None:
    """Where its pixels are far sparser; at the middle it stays the sitter's own."""
    selfie = admit(decode(upload("turned by -30°")))
    head = bust.measure(selfie.faces[0], load("soldier"))
    grid = bust.PAINT.face
    portrait = relief.flatten(selfie, head, grid=grid)
    density = relief._density(head.sampled(grid)[1], grid)
    far = (density[:, ::-1] > 3.3 * np.maximum(density, 1e-3)) & (portrait.depth_deg > 15)
    far &= portrait.weight[:, ::-1] > 0.99
    assert far.sum() > 1000
    detail = portrait.detail
    unlike = np.abs(detail - detail[:, ::-1])
    assert np.median(unlike[far]) < 0.2 * np.median(unlike[~far & (portrait.depth_deg > 15)])
