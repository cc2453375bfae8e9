"""Detail to albedo: paint on plastic, or one plastic with a dark wash in its creases."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from figurine.engines.sculpt.relief import EYES, LIPS, MOUTH, UPPER_LIDS, Portrait, within
from figurine.types import Array

_GREY_CHROMA = 5.0
"""Mean CIELAB chroma of skin under which a photo is taken for black and white."""
_SKIN_HUE_DEG = (46.0, 62.0)
"""CIELAB hue a toy painter mixes, pink to olive: a photo's colour cast cannot leave it."""
_MOTTLE = 0.14
"""Log-luminance below which unevenness is the photo's, not the face's."""
_TONE_STEP = 0.24
_TONE_SPOTS = (50, 280, 101, 330, 36, 266, 205, 425, 9, 151, 5, 195)
"""Mesh points on cheeks, brow and nose: skin, whoever it is."""


@dataclass(frozen=True)
class Coat:
    albedo: Array
    """(rows, columns, 3) linear RGB."""
    skin: Array
    """(3,) linear RGB of ears, neck and hands."""


def paint(portrait: Portrait) -> Coat:
    """Hand-mixed colours: the visitor's tone, warmed; features in a few strokes."""
    tone, grey = _tone(portrait)
    skin = _rgb(tone[None, None])[0, 0]

    # 1. Light and dark: luminance from the detail alone, the eyes' contrast raised.
    eyes = np.asarray(sum(portrait.outline(eye, soft_deg=0.6) for eye in EYES))
    detail = _brushed(portrait) * (1.12 + 0.30 * eyes)
    detail = detail - 0.55 * sum(portrait.stroke(lid, width_deg=0.9) for lid in UPPER_LIDS)
    luminance = ((tone[0] + 16) / 116) ** 3 * np.exp(detail * portrait.weight)
    lightness = 116 * np.cbrt(np.clip(luminance, 0.004, 0.92)) - 16

    # 2. Hue: the photo's own, less its cast; the brush adds blush and lips.
    mask = (portrait.weight > 0).astype(np.float32)
    hue = within(portrait.lab[..., 1:], mask, 0.5 / portrait.grid.step_deg)
    change = (hue - within(hue, mask, 11 / portrait.grid.step_deg)) * (0.0 if grey else 1.0)
    # Dark paint carries less colour, and neither do teeth and the whites of the eyes. What the
    # photo adds is muted with the tone: against a muted tone alone, a dark iris would turn blue.
    muted = np.clip(1.35 * lightness / max(float(tone[0]), 1), 0.25, 1.0)
    muted = muted * (1 - 0.40 * _whites(portrait, eyes) * portrait.weight)
    colour = (tone[1:] + change * portrait.weight[..., None]) * muted[..., None]
    lips = portrait.outline(LIPS, soft_deg=0.8) - portrait.outline(MOUTH, soft_deg=0.5)
    colour[..., 0] += np.clip(lips, 0, 1) * (13 if grey else 5) * portrait.weight
    lab = np.concatenate([lightness[..., None], colour], axis=-1).astype(np.float32)
    return Coat(albedo=_rgb(lab), skin=skin)


def wash(portrait: Portrait, base: Array) -> Coat:
    """One plastic: dark wash in what is dark, a dry brush on what is light."""
    eyes = np.asarray(sum(portrait.outline(eye, soft_deg=0.6) for eye in EYES))
    detail = portrait.detail * (1.8 + 0.3 * eyes)
    detail = detail - 0.6 * sum(portrait.stroke(lid, width_deg=0.9) for lid in UPPER_LIDS)
    shade = np.clip(np.exp(detail * portrait.weight), 0.06, 2.0)
    shade = shade * (1 + 0.45 * _whites(portrait, eyes) * portrait.weight)
    # The dry brush carries a paler paint: the plastic's own hue, brighter, would glow.
    pale = 0.4 * base + 0.6 * float(base.mean()) * np.asarray([1.15, 1.25, 0.85], np.float32)
    dark, light = np.minimum(shade, 1)[..., None], np.maximum(shade - 1, 0)[..., None]
    return Coat(albedo=np.clip(base * dark + pale * light, 0, 0.9).astype(np.float32), skin=base)


def _whites(portrait: Portrait, eyes: Array) -> Array:
    """Where teeth and the whites of the eyes are, 0..1."""
    open_parts = np.clip(eyes + portrait.outline(MOUTH, soft_deg=0.5), 0, 1)
    return np.asarray(open_parts * np.clip((portrait.detail + 0.25) / 0.5, 0, 1), np.float32)


def _brushed(portrait: Portrait) -> Array:
    """The detail as a brush lays it: faint mottling gone, tones drawn together into few steps with
    crisp borders, lines kept."""
    flat = cv2.bilateralFilter(portrait.detail, 9, 0.30, 1.6 / portrait.grid.step_deg)
    lines = portrait.detail - flat
    quiet = flat * (1 - np.exp(-((flat / _MOTTLE) ** 2)))
    steps = np.round(quiet / _TONE_STEP) * _TONE_STEP
    return np.asarray(quiet + 0.45 * (portrait.blurred(steps, 0.35) - quiet) + lines, np.float32)


def _tone(portrait: Portrait) -> tuple[Array, bool]:
    """The skin's Lab as a toy painter would mix it, and whether the photo had no colour."""
    spots = np.round(portrait.points[list(_TONE_SPOTS)]).astype(int)
    near = round(1.5 / portrait.grid.step_deg)
    patches = [portrait.lab[r - near : r + near, c - near : c + near] for c, r in spots]
    lightness, a, b = np.median(np.concatenate([p.reshape(-1, 3) for p in patches]), axis=0)
    grey = bool(np.hypot(a, b) < _GREY_CHROMA)
    # Skin lies on a short arc of hue; measured on the sample portraits.
    usual_a, usual_b = 12.5, 18.5
    share = 0.0 if grey else 0.6
    warm = np.asarray([share * a + (1 - share) * usual_a, share * b + (1 - share) * usual_b])
    chroma = float(np.clip(np.hypot(*warm), 17, 27))
    hue = np.clip(np.arctan2(warm[1], warm[0]), *np.radians(_SKIN_HUE_DEG))
    tone = np.asarray(
        [np.clip(0.86 * lightness + 5, 27, 67), chroma * np.cos(hue), chroma * np.sin(hue)],
        np.float32,
    )
    return tone, grey


def _rgb(lab: Array) -> Array:
    return np.clip(cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2LRGB), 0.003, 0.9)
