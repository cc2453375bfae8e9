"""Picture to picture: plates, the crop set into them, the name on the plaque, the backdrop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from figurine.engines.sculpt import coating
from figurine.kits import MIXED, Finish, Kit
from figurine.types import Array, Box, Pixels

PLATE_PX = (1080, 1350)
GREYS = (0.0, 0.25, 0.75)
"""Albedos of the plates that plastics are mixed from."""
_INTERNAL = 0.596
"""Share of light that a plastic of index 1.49 throws back inwards: mitsuba's `fdr_int`."""
_EXPOSURE = 1.12
_GAMMA = 2.2
_FEATHER_PX = 14
"""Width at 1080 of the ramp from the crop to the plate; both show the same helmet and chest."""
_HALO = ((0.02, 0.16), (0.06, 0.20), (0.20, 0.32))
"""Blurs, as shares of the picture's width, whose sum is a glow's reach, and their strengths."""
_MIST = 0.25
"""Of the halo, what the lens scatters before the backdrop; the rest lights it."""
_FAR = 0.5
"""The backdrop is further from what little light a dim room has."""
_CODES = np.arange(256, dtype=np.float32) / 255
_LIGHT = _CODES**_GAMMA / np.maximum(1 - _CODES**_GAMMA, 1e-3)


def encode(linear: Array) -> Pixels:
    """Scene light 0..∞ to bytes, finest in the dark; `decode` is the way back."""
    x = np.clip(linear, 0, None)
    return np.asarray(np.round((x / (1 + x)) ** (1 / _GAMMA) * 255), np.uint8)


def decode(codes: Pixels) -> Array:
    return np.asarray(_LIGHT[codes], np.float32)


def develop(linear: Array) -> Array:
    """Scene light to display sRGB 0..1 with a filmic shoulder. Source: K. Narkowicz, "ACES filmic
    tone mapping curve", 2015; the display's curve is taken as gamma 2.2."""
    x = np.clip(linear, 0, None) * _EXPOSURE
    y = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.asarray(np.clip(y, 0, 1) ** (1 / 2.2), np.float32)


@dataclass(frozen=True)
class Plates:
    """What a kit in a finish looks like but for the face, at one size."""

    light: Array
    """(H, W, 3) scene light of the figure, not multiplied by alpha, bled past its outline."""
    alpha: Array
    """(H, W) 0..1."""
    skin: Array | None
    """(H, W, 3): how much the light changes with the skin's albedo; None where skin is not bare."""
    backdrop: Array
    """(H, W, 3) display sRGB 0..1, with the figure's shadow and without the figure."""

    @property
    def size_px(self) -> tuple[int, int]:
        return self.alpha.shape[1], self.alpha.shape[0]


def load_plates(kit: Kit, finish: Finish, *, width_px: int) -> Plates:
    """Raises MissingModel."""

    def sized(image: Array) -> Array:
        return _sized(image, width_px)

    light, coverage = _figure(kit, finish)
    alpha = sized(coverage)
    skin = None
    if finish.face == "paint":
        with Image.open(kit.baked(f"{finish.name}-skin.webp")) as file:
            skin = sized(decode(np.asarray(file.convert("RGB"))))
    studio = load_studio(kit, width_px=width_px)
    light = sized(light)
    return Plates(light=light, alpha=alpha, skin=skin, backdrop=room(studio, light, alpha, finish))


def load_studio(kit: Kit, *, width_px: int) -> Array:
    """The backdrop in full light, (H, W, 3) display sRGB 0..1, with the figure's shadow. Raises
    MissingModel."""
    stored = np.frombuffer(kit.baked("backdrop.png").read_bytes(), np.uint8)
    backdrop: Array = np.asarray(cv2.imdecode(stored, cv2.IMREAD_UNCHANGED))
    return np.clip(_sized(backdrop[..., ::-1].astype(np.float32) / 65535, width_px), 0, 1)


def _sized(image: Array, width_px: int) -> Array:
    size = (width_px, round(width_px * PLATE_PX[1] / PLATE_PX[0]))
    if image.shape[1::-1] == size:
        return image
    smaller = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _figure(kit: Kit, finish: Finish) -> tuple[Array, Array]:
    """Light and alpha of a finish's plate as baked or, for plain plastics, mixed."""
    if finish.plates != MIXED:
        return _plate(kit, finish.plates)
    greys, alphas = zip(*(_plate(kit, f"{MIXED}-{n}") for n in range(len(GREYS))), strict=True)
    colour = finish.palette[0]
    light = mixed(greys, colour)
    return coating.lit_within(light, np.broadcast_to(colour, light.shape), finish), alphas[0]


def _plate(kit: Kit, name: str) -> tuple[Array, Array]:
    with Image.open(kit.baked(f"{name}.webp")) as file:
        figure = np.asarray(file.convert("RGBA"))
    return decode(figure[..., :3]), figure[..., 3].astype(np.float32) / 255


def mixed(greys: Sequence[Array], colour: Array) -> Array:
    """Light (H, W, 3) of a plastic in a linear RGB colour, from that of the GREYS.

    What leaves a plastic after one bounce is proportional to a / (1 - F a); light that bounces
    twice adds a square. On the soldier in green and tan, traced and mixed differ by 1.5 of 255
    on average, two seeds of one trace by 2.0. Source: W. Jakob, mitsuba's `roughplastic`.
    """
    black, middle, light = greys
    x, y, z = (np.asarray(level) / (1 - _INTERNAL * np.asarray(level)) for level in
               (GREYS[1], GREYS[2], colour))  # fmt: skip
    one, two = (middle - black) / x, (light - black) / y
    square = (two - one) / (y - x)
    return np.asarray(np.clip(black + (one - square * x) * z + square * z * z, 0, None), np.float32)


def room(backdrop: Array, light: Array, alpha: Array, finish: Finish) -> Array:
    """The backdrop as bright as the finish's room, with the figure's glow on it."""
    if (finish.room == 1).all():
        return backdrop
    height, width = alpha.shape
    own = light * alpha[..., None] * finish.inner / max(float(finish.inner.max()), 1e-6)
    halo = np.zeros_like(backdrop)
    small = cv2.resize(own, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    for reach, share in _HALO:
        spread = cv2.GaussianBlur(small, (0, 0), reach * width / 4)
        halo += share * cv2.resize(spread, (width, height), interpolation=cv2.INTER_CUBIC)
    lit = np.clip(backdrop, 0, 1) ** _GAMMA * (finish.room * _FAR + halo)
    return np.asarray(np.clip(lit + _MIST * halo, 0, 1) ** (1 / _GAMMA), np.float32)


def bled(light: Array, alpha: Array) -> Array:
    """Premultiplied light divided by alpha, carried outwards past the outline."""
    solid = alpha > 0.5
    straight = light / np.maximum(alpha, 1e-3)[..., None]
    _, labels = cv2.distanceTransformWithLabels(
        (~solid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((labels.max() + 1, 3), np.float32)
    nearest[labels[solid]] = straight[solid]
    near = cv2.dilate(solid.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    outside = np.where(near[..., None], nearest[labels], 0)
    return np.asarray(np.where(solid[..., None], straight, outside), np.float32)


def filled(image: Array, hidden: Array) -> Array:
    """The hidden part, and a pixel around it, painted over smoothly from its surroundings."""
    hidden = cv2.dilate(hidden.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    result = image.copy()
    result[hidden] = 0
    for sigma in (96, 48, 24, 12, 6, 3, 1.5):
        seen = cv2.GaussianBlur((~hidden).astype(np.float32), (0, 0), sigma)
        spread = cv2.GaussianBlur(np.where(hidden[..., None], 0, image), (0, 0), sigma)
        trust = np.clip(seen * 4, 0, 1)[..., None]
        guess = spread / np.maximum(seen, 1e-4)[..., None]
        result = np.where(hidden[..., None], result * (1 - trust) + guess * trust, image)
    return np.asarray(result, np.float32)


def crop_box(kit: Kit, size_px: tuple[int, int]) -> Box:
    """Left, top, width, height of the kit's face crop in pixels."""
    width, height = size_px
    left, top, right, bottom = kit.face.crop
    x, y = round(left * width), round(top * height)
    return x, y, round(right * width) - x, round(bottom * height) - y


@dataclass(frozen=True)
class Figure:
    """The figure being put together: scene light and outline."""

    light: Array
    alpha: Array


def with_face(plates: Plates, crop: Array, box: Box) -> Figure:
    """Set a traced crop (h, w, 4), premultiplied, into the plates."""
    light, alpha = plates.light.copy(), plates.alpha.copy()
    x, y, w, h = box
    here = np.s_[y : y + h, x : x + w]
    reach = _FEATHER_PX * plates.size_px[0] / PLATE_PX[0]
    across = np.minimum(np.arange(w) + 0.5, w - np.arange(w) - 0.5)
    down = np.minimum(np.arange(h) + 0.5, h - np.arange(h) - 0.5)
    ramp = np.clip(np.minimum(across[None, :], down[:, None]) / reach, 0, 1).astype(np.float32)
    mixed = crop[..., 3] * ramp + alpha[here] * (1 - ramp)
    before = light[here] * alpha[here][..., None]
    after = crop[..., :3] * ramp[..., None] + before * (1 - ramp[..., None])
    light[here] = bled(after, mixed)
    alpha[here] = mixed
    return Figure(light=light, alpha=alpha)


def traced(crop: Array, box: Box, size_px: tuple[int, int]) -> Figure:
    """A figure that is all in a traced crop (h, w, 4), premultiplied."""
    x, y, w, h = box
    width, height = size_px
    light = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    here = np.s_[y : y + h, x : x + w]
    cover = np.ascontiguousarray(crop[..., 3])
    light[here], alpha[here] = bled(crop[..., :3], cover), cover
    return Figure(light=light, alpha=alpha)


def with_skin(plates: Plates, finish: Finish, skin_row: int, skin: Array) -> Plates:
    """Hands and whatever else is bare outside the crop, in the visitor's tone."""
    if plates.skin is None:
        return plates
    change = skin - finish.palette[skin_row]
    return Plates(
        light=np.clip(plates.light + plates.skin * change, 0, None).astype(np.float32),
        alpha=plates.alpha,
        skin=plates.skin,
        backdrop=plates.backdrop,
    )


def still(figure: Figure, backdrop: Array, *, seed: int) -> tuple[Pixels, Pixels]:
    """The figure on its backdrop, (H, W, 3), and alone, (H, W, 4) with straight alpha."""
    shown = develop(figure.light)
    cover = cv2.convertScaleAbs(figure.alpha, alpha=255)
    alpha = np.dstack([cover.astype(np.float32) / 255] * 3)
    # Half a step of noise keeps the backdrop's slow gradient from banding.
    chance = np.random.default_rng(seed).random((*cover.shape, 1), np.float32)
    behind = backdrop + (chance - 0.5) / 255
    on_backdrop = shown * alpha + behind * (1 - alpha)
    alone = cv2.copyTo(cv2.convertScaleAbs(shown, alpha=255), cover)
    return (
        np.asarray(cv2.convertScaleAbs(on_backdrop, alpha=255), np.uint8),
        np.asarray(cv2.merge([*cv2.split(alone), cover]), np.uint8),
    )
