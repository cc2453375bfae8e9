"""What a model is shown of a person: the kit's render that poses for them, and their selfie.

The render is made anew for each person, face and all, for about a second of a CPU's core: it gives
the model the face already in its place, light and material, and the face that is found in it says
where the figurine's will be. It is the person's, so it is not kept; all their candidates share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from figurine import faces, recipes
from figurine.engines.base import Engine, Progress
from figurine.engines.klein import frame
from figurine.engines.klein.painter import References
from figurine.types import Box, Face, Pixels, Recipe, Selfie

if TYPE_CHECKING:
    from figurine.engines.sculpt import SculptEngine

SELFIE_PX: Final = 512
"""Side of the selfie's reference: a quarter of a square frame's tokens."""
_HEAD: Final = 2.3
"""Side of a selfie's crop over the face's width: hair and chin are in it, the room hardly."""
_UP: Final = 0.08
"""Of the crop: how far the face's middle is below the crop's, since hair is above."""
_POSE_WIDTH_PX: Final = 540
"""Of a render that only poses: painters look at it shrunk, and sculpt draws this size as a sketch
of a third of the work."""
_POSE_SPP: Final = 4
"""Of such a render; a little grain is lost in shrinking."""
_FACE_MARGIN: Final = 0.12
"""Of the face's outline: how much further the box reaches that is painted again."""


@dataclass(frozen=True)
class Sitting:
    """A person's references, ready for any number of candidates. Sizes are the frame's."""

    pose: Pixels
    """(H, W, 3) of the frame."""
    selfie: Pixels
    """(512, 512, 3)."""
    faces: tuple[Box, ...]
    """In `pose`, left to right."""
    rough: Pixels
    """(h, w) uint8: the render's own alpha, 4 : 5."""
    sculpt_version: str


def sit(
    sculptor: Engine,
    selfie: Selfie,
    recipe: Recipe,
    *,
    seed: int,
    way: References,
    width_px: int,
    height_px: int,
    progress: Progress,
) -> Sitting:
    """Render the pose and cut out the selfie. Raises what the sculptor and `progress` raise."""
    options = {**_of_kit(recipe), "width_px": frame.inner(width_px, height_px)[2]}
    if way != "inpaint":  # there the render is what is seen, but for the face
        options |= {"width_px": min(options["width_px"], _POSE_WIDTH_PX), "spp": _POSE_SPP}
    posing = replace(recipe, engine="sculpt", options=options)
    (render,) = sculptor.generate(selfie, posing, seeds=[seed], progress=progress)
    still_px = (render.still.shape[1], render.still.shape[0])
    return Sitting(
        pose=frame.extended(render.still, width_px=width_px, height_px=height_px),
        selfie=together([crop(selfie.pixels, face) for face in selfie.faces]),
        faces=tuple(
            frame.placed(box, of_px=still_px, width_px=width_px, height_px=height_px)
            for box in face_boxes(render.still, recipe, len(selfie.faces))
        ),
        rough=render.cutout[..., 3],
        sculpt_version=render.engine_version,
    )


def warm_up(sculptor: SculptEngine) -> None:
    """Have ready what poses are sketched with. Raises MissingModel."""
    sculptor.warm_up(width_px=_POSE_WIDTH_PX)


def crop(pixels: Pixels, face: Face) -> Pixels:
    """Head and shoulders of one face, level, (512, 512, 3); what is outside the photo is carried
    on from its edge."""
    outline = face.mesh[list(faces.OVAL), :2].astype(np.float64)
    middle = (outline.min(0) + outline.max(0)) / 2
    side = _HEAD * max(float(face.width_px), float(np.ptp(outline[:, 1])) * 0.8)
    turn = cv2.getRotationMatrix2D(middle.tolist(), face.roll_deg, SELFIE_PX / side)
    turn[:, 2] += (SELFIE_PX / 2, SELFIE_PX * (0.5 + _UP)) - middle
    shrunk = side > SELFIE_PX  # blurred first: warpAffine samples single pixels
    photo = cv2.GaussianBlur(pixels, (0, 0), side / SELFIE_PX / 2) if shrunk else pixels
    out = cv2.warpAffine(
        photo,
        turn,
        (SELFIE_PX, SELFIE_PX),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(out, np.uint8)


def together(crops: Sequence[Pixels]) -> Pixels:
    """A squad's crops in one reference of the same size, left to right; one alone as it is.

    Two stand in one row, three or four in two, five or six in two of three.
    """
    if len(crops) == 1:
        return crops[0]
    columns = 2 if len(crops) <= 4 else 3
    rows = -(-len(crops) // columns)
    side = SELFIE_PX // columns
    whole = np.full((SELFIE_PX, SELFIE_PX, 3), 255, np.uint8)
    top = (SELFIE_PX - rows * side) // 2
    for number, each in enumerate(crops):
        row, column = divmod(number, columns)
        y, x = top + row * side, column * side
        whole[y : y + side, x : x + side] = frame.resized(each, side, side)
    return whole


def composite(pose: Pixels, selfie: Pixels) -> Pixels:
    """Pose and selfie beside each other in one picture, (512, W, 3), the person on the right.

    As many tokens as two references of these sizes, but one picture; whether it pays is measured.
    """
    wide = round(pose.shape[1] * SELFIE_PX / pose.shape[0] / 16) * 16
    return np.hstack([frame.resized(pose, wide, SELFIE_PX), selfie])


def face_boxes(still: Pixels, recipe: Recipe, count: int) -> list[Box]:
    """Where each face is in a render of 4 : 5, in its pixels, left to right.

    Looked for as in any photo; where fewer are found than there are, the part of the kit's picture
    that changes from face to face, and of a squad the picture's upper part.
    """
    found = sorted(faces.find_faces(still, closely=count > 1), key=lambda face: -face.width_px)
    if len(found) < count:
        return [_kits_face(still, recipe, count)]
    return sorted(_outline(face, still) for face in found[:count])


def _outline(face: Face, still: Pixels) -> Box:
    points = face.mesh[list(faces.OVAL), :2]
    margin = _FACE_MARGIN * face.width_px
    x0, y0 = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(points.max(0) + margin), still.shape[1::-1]).astype(int)
    return int(x0), int(y0), int(x1 - x0), int(y1 - y0)


def _kits_face(still: Pixels, recipe: Recipe, count: int) -> Box:
    height, width = still.shape[:2]
    if count > 1:
        return 0, 0, width, height * 2 // 3
    left, top, right, bottom = recipes.posed(recipe).face.crop
    x, y = round(left * width), round(top * height)
    return x, y, round(right * width) - x, round(bottom * height) - y


def _of_kit(recipe: Recipe) -> dict[str, Any]:
    """Options that are the kit's own."""
    return {name: value for name, value in recipe.options.items() if name == "pose"}
