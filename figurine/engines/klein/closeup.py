"""A face and what is around it, cut out of a picture as large as a frame, and put back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from figurine.engines.klein import frame, inpaint
from figurine.types import Box, Pixels


def around(faces: Sequence[Box], width_px: int, height_px: int) -> Box:
    """What of a picture of this size is shown to who paints its faces: of the picture's own shape,
    as far around them as klein's painting has it, and all within the picture."""
    x, y, wide, high = inpaint.around(faces)
    padding = 2 * inpaint.PADDING_SHARE * wide
    share = min(1.0, max((wide + padding) / width_px, (high + padding) / height_px))
    across, down = math.ceil(share * width_px), math.ceil(share * height_px)
    left = round(x + wide / 2 - across / 2)
    top = round(y + high / 2 - down / 2)
    return (
        min(max(left, 0), width_px - across),
        min(max(top, 0), height_px - down),
        across,
        down,
    )


def cut(picture: Pixels, box: Box) -> Pixels:
    """What is in the box, as large as the picture: a face gets all of a model's resolution."""
    left, top, wide, high = box
    height_px, width_px = picture.shape[:2]
    return frame.resized(picture[top : top + high, left : left + wide], width_px, height_px)


def put_back(picture: Pixels, painted: Pixels, *, box: Box, faces: Sequence[Box]) -> Pixels:
    """The picture with the faces' ellipses out of what was painted of the box; what is outside
    `faces` stays as it is to the byte. painted: as large as the picture."""
    left, top, wide, high = box
    here = np.s_[top : top + high, left : left + wide]
    share = inpaint.mask(faces, picture.shape[1], picture.shape[0])[here][..., None] / 255.0
    whole = picture.copy()
    blended = share * frame.resized(painted, wide, high) + (1 - share) * picture[here]
    whole[here] = blended.round().astype(np.uint8)
    return whole
