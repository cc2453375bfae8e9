"""Detail to albedo: paint on plastic, or one plastic with a dark wash in its creases."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from figurine.engines.sculpt.blur import within
from figurine.engines.sculpt.gaze import Gaze
from figurine.engines.sculpt.relief import BROWS, EYES, LIPS, MOUTH, Portrait
from figurine.types import Array

_GREY_CHROMA = 5.0
"""Mean CIELAB chroma of skin under which a photo is taken for black and white."""
_SKIN_HUE_DEG = (46.0, 62.0)
"""CIELAB hue a toy painter mixes, pink to olive: a photo's colour cast cannot leave it."""
_HUE_SHARE = 0.55
"""How much of the photo's own changes of hue a brush follows."""
_WASH, _DRY, _TEETH = 1.5, 0.11, 0.5
"""How deep creases are in plastic, how much lighter faces are than the rest (the young look old in
dark plastic), and how much lighter teeth."""
_BLUSH, _WARM = 5.0, 11.0
_SURE = 0.7


@dataclass(frozen=True)
class Coat:
    albedo: Array
    """(rows, columns, 3) linear RGB."""
    gloss: Array
    """(rows, columns) 0..1: dark washes and irises are matt, or the lamps would bleach them."""
    skin: Array
    """(3,) linear RGB of ears, neck and hands."""


def paint(portrait: Portrait, gaze: Gaze) -> Coat:
    """Hand-mixed colours: the visitor's tone, warmed; features in a few strokes."""
    tone, grey = _tone(portrait)
    skin = _rgb(tone[None, None])[0, 0]

    # 1. Light and dark: luminance from the detail alone.
    mouth = portrait.outline(MOUTH, soft_deg=0.5)
    luminance = ((tone[0] + 16) / 116) ** 3 * np.exp(portrait.detail * 1.1 * portrait.weight)
    lightness = 116 * np.cbrt(np.clip(luminance, 0.004, 0.92)) - 16

    # 2. Hue: the photo's own, less its cast; the brush adds blush and lips.
    mask = (portrait.weight > 0).astype(np.float32)
    hue = within(portrait.lab[..., 1:], mask, 0.5 / portrait.grid.step_deg)
    change = (hue - within(hue, mask, 11 / portrait.grid.step_deg)) * (0.0 if grey else _HUE_SHARE)
    # Dark paint carries less colour, and neither do teeth. What the photo adds is muted with the
    # tone: against a muted tone alone, a dark spot would turn blue.
    muted = np.clip(1.35 * lightness / max(float(tone[0]), 1), 0.25, 1.0)
    muted = muted * (1 - 0.55 * _whites(portrait, mouth) * portrait.weight)
    colour = (tone[1:] + change * portrait.weight[..., None]) * muted[..., None]
    lips = np.clip(portrait.outline(LIPS, soft_deg=0.8) - mouth, 0, 1) * portrait.weight
    # Shadows are mixed warm: with black they would look like dirt.
    colour[..., 0] += _WARM * np.clip(-portrait.detail, 0, 0.7) * portrait.weight
    colour[..., 0] += lips * (13 if grey else 6) + _BLUSH * _blush(portrait)
    lab = np.concatenate([lightness[..., None], colour], axis=-1).astype(np.float32)

    # 3. Eyes, layer on layer.
    iris = _iris(gaze.iris_lab, grey=grey)
    white = np.asarray([np.clip(tone[0] + 22, 70, 86), 1.0, 4.0])
    line = np.asarray([12.0, 5.0, 6.0])
    for layer, mixed, cover in (
        (gaze.opening, white, 0.95),
        (gaze.shade, white * (0.62, 1, 1), 0.85),
        (gaze.iris, iris, 1.0),
        (gaze.limbus, iris * (0.45, 0.8, 0.8), 0.8),
        (gaze.pupil, np.asarray([5.0, 0, 0]), 1.0),
        (gaze.under, _darker(tone, 0.62), 0.55),
        (gaze.lash, line, 0.92),
        (gaze.glint, np.asarray([97.0, 0, 0]), 1.0),
    ):
        lab += (layer * cover)[..., None] * (mixed.astype(np.float32) - lab)
    return Coat(albedo=_rgb(lab), gloss=_gloss(lab[..., 0] / tone[0], gaze), skin=skin)


def _darker(tone: Array, share: float) -> Array:
    """The skin's tone darkened."""
    return np.asarray([tone[0] * share, tone[1] * 1.1, tone[2] * 0.9])


def _iris(seen: Array, *, grey: bool) -> Array:
    """The iris's colour as mixed: clearer than a photo shows it, guessed where there is none."""
    lightness = float(np.clip(seen[0] * 1.15 + 4, 16, 50))
    if grey:
        return np.asarray([min(lightness, 32.0), 8.0, 12.0])
    a, b = seen[1:] * 1.4
    chroma = float(np.hypot(a, b))
    return np.asarray([lightness, *(np.asarray([a, b]) * min(1.0, 24 / max(chroma, 1e-6)))])


def _blush(portrait: Portrait) -> Array:
    """Cheeks and nose tip, where a toy's are rosy: 0..1."""
    spots = np.zeros(portrait.grid.shape, np.float32)
    for point, reach_deg in ((50, 6.0), (280, 6.0), (4, 3.5)):
        column, row = portrait.points[point]
        cv2.circle(
            spots, (round(column), round(row)), round(reach_deg / portrait.grid.step_deg), 1.0, -1
        )
    return portrait.blurred(spots, 3.5) * portrait.weight


def wash(portrait: Portrait, gaze: Gaze, base: Array) -> Coat:
    """One colour: its lights and darks, which the finish tints (coating.toned)."""
    shade = np.clip(np.exp((portrait.detail + _DRY) * _WASH * portrait.weight), 0.06, 2.0)
    mouth = portrait.outline(MOUTH, soft_deg=0.5)
    shade = shade * (1 + _TEETH * _whites(portrait, mouth) * portrait.weight)
    for layer, tint, cover in (
        (gaze.opening, 1.75, 0.95),
        (gaze.shade, 0.8, 0.8),
        (gaze.iris, 0.22, 1.0),
        (gaze.limbus, 0.10, 0.8),
        (gaze.pupil, 0.05, 1.0),
        (gaze.under, 0.45, 0.6),
        (gaze.lash, 0.08, 0.95),
        (gaze.glint, 2.2, 1.0),
    ):
        shade = shade + layer * cover * (tint - shade)
    return Coat(
        albedo=(base * shade[..., None]).astype(np.float32),
        gloss=_gloss(shade, gaze),
        skin=base,
    )


def _gloss(shade: Array, gaze: Gaze) -> Array:
    """Full where the tone is the skin's own (1) or lighter, little in the dark and in the eyes."""
    painted = np.maximum(gaze.opening, gaze.lash)
    return np.asarray(np.clip(shade, 0.12, 1) * (1 - 0.9 * painted), np.float32)


def _whites(portrait: Portrait, mouth: Array) -> Array:
    """Where teeth are, 0..1."""
    return np.asarray(mouth * np.clip((portrait.detail + 0.25) / 0.5, 0, 1), np.float32)


def _tone(portrait: Portrait) -> tuple[Array, bool]:
    """The skin's Lab as a toy painter would mix it, and whether the photo had no colour."""
    features = sum(portrait.outline(part, soft_deg=2.0) for part in (*BROWS, *EYES, LIPS))
    seen = portrait.lab[(portrait.weight > _SURE) & (features < 1 - _SURE)]
    if not len(seen):
        seen = portrait.lab.reshape(-1, 3)
    # The lit side tells the tone. Nose and cheekbones alone would tell their shine: on dark skin
    # that is 10 lighter.
    lightness = float(np.percentile(seen[:, 0], 65))
    a, b = np.median(seen[:, 1:], axis=0)
    grey = bool(np.hypot(a, b) < _GREY_CHROMA)
    # Skin lies on a short arc of hue; measured on the sample portraits.
    usual_a, usual_b = 12.5, 18.5
    share = 0.0 if grey else 0.8
    warm = np.asarray([share * a + (1 - share) * usual_a, share * b + (1 - share) * usual_b])
    chroma = float(np.clip(np.hypot(*warm), 17, 27))
    hue = np.clip(np.arctan2(warm[1], warm[0]), *np.radians(_SKIN_HUE_DEG))
    tone = np.asarray(
        [np.clip(0.93 * lightness + 3, 27, 73), chroma * np.cos(hue), chroma * np.sin(hue)],
        np.float32,
    )
    return tone, grey


def _rgb(lab: Array) -> Array:
    return np.clip(cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2LRGB), 0.003, 0.9)
