"""Group photos to test with, put together out of one portrait as the tests need them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from figurine.decode import decode
from figurine.types import Pixels
from tests.photos import ASTRONAUT

_HEAD = np.s_[0:300, 100:350]
"""Of scikit-image's astronaut: her head and shoulders."""
WALL = (96, 104, 112)


def group_photo(
    count: int, *, tones: Sequence[float] = (), heights: Sequence[float] = (), apart_px: int = 24
) -> Pixels:
    """People side by side before a wall, every second one mirrored.

    tones: how bright each is. heights: how tall, 1 is the portrait.
    """
    head = decode(ASTRONAUT.read_bytes())[_HEAD]
    people = []
    for number in range(count):
        person = head[:, ::-1] if number % 2 else head
        factor = heights[number] if heights else 1.0
        size = (round(person.shape[1] * factor), round(person.shape[0] * factor))
        person = cv2.resize(person, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        if tones:
            person = np.clip(person * tones[number], 0, 255).astype(np.uint8)
        people.append(person)
    tallest = max(person.shape[0] for person in people)
    strips = []
    for person in people:
        above = np.full((tallest - person.shape[0], person.shape[1], 3), WALL, np.uint8)
        gap = np.full((tallest, apart_px, 3), WALL, np.uint8)
        strips += [gap, np.concatenate([above, person]).astype(np.uint8)]
    return np.ascontiguousarray(np.concatenate([*strips, strips[0]], axis=1))
