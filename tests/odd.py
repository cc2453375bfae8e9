"""One face in every odd photo we can think of, and what is to become of each.

Made on the fly of scikit-image's astronaut. `SCULPTED` must become a figurine, `REFUSED` a code.
docs/bad-input.md shows them; `python -m tests.odd_pictures` makes its picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage
from PIL import Image

from figurine.decode import decode
from figurine.engines.sculpt.relief import BROWS, EYES, LIPS, MOUTH
from figurine.faces import OVAL, find_faces
from figurine.types import Face, Pixels
from tests.disguises import hand, mask, near, shut_eyes, sunglasses
from tests.photos import ASTRONAUT
from tests.turning import turned

Odd = Callable[[Pixels, Face], Any]

FACE_PX: Final = 320.0
"""About a selfie's face, shrunk as the phone page sends it."""


def scaled(pixels: Pixels, factor: float) -> Pixels:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return cv2.resize(pixels, size, interpolation=method).astype(np.uint8)


def megapixels(pixels: Pixels, _: Face, *, count: float) -> Pixels:
    return scaled(pixels, float(np.sqrt(count * 1e6 / (pixels.shape[0] * pixels.shape[1]))))


def high(pixels: Pixels, _: Face, *, px: int) -> Pixels:
    return scaled(pixels, px / pixels.shape[0])


def in_a_room(pixels: Pixels, face: Face, *, face_px: float, width_px: int = 1280) -> Pixels:
    """Somebody short, or far: low in a wide photo, with this much face."""
    person = scaled(pixels, face_px / face.width_px)
    edge = np.median(person[: person.shape[0] // 3, :3].reshape(-1, 3), axis=0)
    height_px = width_px * 3 // 4
    shade = np.linspace(1.05, 0.9, height_px)[:, None, None]
    room = np.broadcast_to(edge * shade, (height_px, width_px, 3)).clip(0, 255).astype(np.uint8)
    room = room.copy()
    left = (width_px - person.shape[1]) // 3
    room[-person.shape[0] :, left : left + person.shape[1]] = person
    return room


def with_a_child(pixels: Pixels, face: Face) -> Pixels:
    child = scaled(pixels, 0.7)
    beside = np.zeros((pixels.shape[0], child.shape[1], 3), np.uint8)
    beside[-child.shape[0] :] = child
    return np.concatenate([pixels, beside], axis=1)


def cat(_: Pixels, __: Face) -> Pixels:
    return decode((Path(skimage.__file__).parent / "data" / "chelsea.png").read_bytes())


def drawing(pixels: Pixels, face: Face) -> Pixels:
    """The sitter in flat colours and ink."""
    page = np.full_like(pixels, (158, 205, 226))
    points = face.mesh[:, :2]
    width = face.width_px

    def filled(outline: tuple[int, ...], colour: tuple[int, int, int]) -> None:
        line = [np.round(points[list(outline)]).astype(np.int32)]
        cv2.fillPoly(page, line, colour, cv2.LINE_AA)
        cv2.polylines(page, line, True, (40, 28, 24), 3, cv2.LINE_AA)

    x, y = points[list(OVAL)].mean(axis=0)
    hair = (round(0.68 * width), round(0.85 * width))
    cv2.ellipse(page, (round(x), round(y - 0.12 * width)), hair, 0, 0, 360, (96, 52, 30), -1)
    filled(OVAL, (244, 200, 168))
    for brow, eye in zip(BROWS, EYES, strict=True):
        filled(brow, (70, 36, 20))
        filled(eye, (255, 255, 255))
        x, y = points[list(eye)].mean(axis=0)
        cv2.circle(page, (round(x), round(y)), round(0.035 * width), (50, 90, 60), -1, cv2.LINE_AA)
    filled(LIPS, (196, 70, 70))
    filled(MOUTH, (255, 255, 255))
    return page


SCULPTED: Final[dict[str, Odd]] = {
    "as it is": lambda pixels, _: pixels,
    "turned by 20°": partial(turned, by_deg=20),
    "turned by -20°": partial(turned, by_deg=-20),
    "turned by -30°": partial(turned, by_deg=-30),
    "eyes shut": shut_eyes,
    "eyes half shut": partial(shut_eyes, share=0.5),
    "clear glasses": partial(sunglasses, opacity=0.06, glare=0.1),
    "tinted glasses": partial(sunglasses, colour=(92, 60, 34), opacity=0.5, glare=0.2),
    "20 megapixels": partial(megapixels, count=20),
    "200 px high": partial(high, px=200),
    "child-sized": partial(in_a_room, face_px=96),
    "child in a hall": partial(in_a_room, face_px=72),
}
REFUSED: Final[dict[str, tuple[str, Odd]]] = {
    "a cat": ("no_face", cat),
    "a drawing": ("no_face", drawing),
    "turned by 50°": ("turned_away", partial(turned, by_deg=50)),
    "turned by -50°": ("turned_away", partial(turned, by_deg=-50)),
    "turned by 60°": ("turned_away", partial(turned, by_deg=60)),
    "turned by -60°": ("turned_away", partial(turned, by_deg=-60)),
    "blue mask": ("face_covered", mask),
    "white mask": ("face_covered", partial(mask, colour=(225, 228, 230))),
    "black mask": ("face_covered", partial(mask, colour=(28, 28, 32))),
    "skin-coloured mask": ("face_covered", partial(mask, colour=(214, 180, 150))),
    "hand over the mouth": ("face_covered", partial(hand, at=13, turn_deg=90, size=0.5)),
    "hand over the nose": ("face_covered", partial(hand, at=1, turn_deg=0, size=0.5)),
    "hand over an eye": ("face_covered", partial(hand, at=159, turn_deg=20)),
    "sunglasses": ("eyes_hidden", sunglasses),
    "brown sunglasses": ("eyes_hidden", partial(sunglasses, colour=(50, 32, 20), opacity=0.88)),
    "120 px high": ("face_too_small", partial(high, px=120)),
    "child at the back": ("face_too_small", partial(in_a_room, face_px=52)),
    "with a child": ("many_faces", with_a_child),
}


@cache
def sitter() -> tuple[Pixels, Face]:
    """The astronaut's head, and the face in it."""
    photo = decode(ASTRONAUT.read_bytes())
    pixels = near(photo, find_faces(photo)[0], face_px=FACE_PX)
    return pixels, find_faces(pixels)[0]


@cache
def upload(name: str) -> bytes:
    """The odd photo of this name, as a phone would send it."""
    change = SCULPTED[name] if name in SCULPTED else REFUSED[name][1]
    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(change(*sitter()).astype(np.uint8))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
