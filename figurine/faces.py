"""Find faces and lay the 468-point mesh on them, by MediaPipe's own models run in OpenCV.

On one core: both detectors 11 ms, a face's mesh and measures 25 ms, models loaded in 0.1 s; looking
again for far faces, only when there is no other, 0.2 s.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from figurine.types import Face, Floats, Pixels
from figurine.weights import FACE_MESH, FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR, Weight, locate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Detector:
    """A BlazeFace model: what goes in, and how its boxes are laid out."""

    weight: Weight
    input_px: int
    grid: tuple[tuple[int, int], ...]
    """(cells a side, boxes a cell), in the order of the model's output."""


FULL_RANGE: Final = Detector(FULL_RANGE_DETECTOR, 192, ((48, 1),))
"""Sees faces of 0.1 to 0.6 of the photo's width."""
SHORT_RANGE: Final = Detector(SHORT_RANGE_DETECTOR, 128, ((16, 2), (8, 6)))
"""Sees faces of 0.2 to 1.0 of the photo's width."""

MIN_SCORE: Final = 0.54
"""Of the detector's score times the mesh model's. In 825 faceless crops (a cat, a rocket, cloth,
coins, grass ...) the best was 0.49; portraits 0.1 to 1.0 wide, turned by up to 60 degrees, with a
tenth of the light, or blurred by 4 % of the face's width keep 0.66 and more, but for one at 0.49.
"""

MESH_INPUT_PX: Final = 192
MESH_MARGIN: Final = 1.5
"""Side of the mesh model's crop over the face's box. Source: MediaPipe, face_landmark graph."""
MESH_JITTER: Final = ((-1, -1, -1), (1, -1, 1), (-1, 1, 1), (1, 1, -1))
"""Signs of the four last crops' shifts in x and y, and of their turn and zoom. Moving the photo
under the crop moves the mesh by 0.66 % of the face's width after one pass, 0.36 % after two, 0.16 %
as the mean of these four (RMS over ten portraits, eight placements each).
"""
JITTER_SHIFT: Final = 0.02
JITTER_TURN_DEG: Final = 3.0
JITTER_ZOOM: Final = 0.04
FAR_WINDOW: Final = 0.25
"""Windows for far faces, over the photo's long side: finds faces down to 1.5 % of it."""
FAR_STEP: Final = 0.75
SAME_FACE_OVERLAP: Final = 0.3
"""Intersection over union above which two boxes hold one face. Source: MediaPipe's graphs."""

RIGHT_EYE, LEFT_EYE, BROW, CHIN, RIGHT_CHEEK, LEFT_CHEEK = 33, 263, 10, 152, 234, 454
OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline, clockwise from the brow. Source: MediaPipe, FACEMESH_FACE_OVAL."""

LEVEL_PITCH_DEG: Final = -8.0
"""What the line from brow to chin leans by in a level face: median of ten portraits."""

MOUTH: Final = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 13, 14)
EYES: Final = ((33, 133, 159, 145), (263, 362, 386, 374))
UNREST_PARTS: Final = ((range(468), 1.0), (MOUTH, 0.8), ((*EYES[0], *EYES[1]), 1.1))
"""Parts whose unrest counts, and how much: mouths move more than most points, eyes less."""

PATCH_WIDTH_PX: Final = 96
"""Faces are measured at this width, so that a measure does not depend on the photo's size. About
the smallest face that is let in.
"""

_net_lock = threading.Lock()  # an OpenCV net keeps its inputs and outputs inside


@dataclass(frozen=True)
class Crop:
    """A square of the photo, turned so that the eyes are level."""

    centre: Array
    turn_deg: float
    side_px: float


@dataclass(frozen=True)
class Hit:
    """What a detector found, in pixels."""

    score: float
    box: Array
    """x, y, width, height."""
    eyes: Array
    """(2, 2): the subject's right eye, then the left."""


def warm_up() -> None:
    """Load the models and run each once. Raises MissingModel."""
    grey = np.full((MESH_INPUT_PX, MESH_INPUT_PX, 3), 128, np.uint8)
    find_faces(grey)
    _mesh(grey, Crop(np.full(2, MESH_INPUT_PX / 2), 0.0, MESH_INPUT_PX))


def find_faces(pixels: Pixels, *, closely: bool = False) -> tuple[Face, ...]:
    """Find every face of an upright photo, left to right, each with mesh, pose and measures.

    pixels: (H, W, 3) uint8 sRGB. closely: also those who stand back from the others. Raises
    MissingModel.
    """
    # 1. Look at the whole photo; if it is empty or nobody may be missed, look closer, window by
    # window.
    hits = [*_detect(pixels, FULL_RANGE), *_detect(pixels, SHORT_RANGE)]
    if closely:
        hits += _detect_far(pixels)
    faces = [face for hit in _surest(hits) if (face := _face(pixels, hit))]
    if not faces and not closely:
        far = _surest(list(_detect_far(pixels)))
        faces = [face for hit in far if (face := _face(pixels, hit))]
    # 2. Left to right.
    return tuple(sorted(_distinct(faces), key=lambda face: float(face.mesh[:, 0].mean())))


def face_patch(pixels: Pixels, mesh: Floats) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Cut out the face PATCH_WIDTH_PX wide: its luma (h, w) uint8 and which pixels are face."""
    outline = mesh[list(OVAL), :2]
    x0, y0 = np.maximum(np.floor(outline.min(0)), 0).astype(int)
    x1, y1 = np.ceil(outline.max(0)).astype(int)
    luma = cv2.cvtColor(np.ascontiguousarray(pixels[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
    scale = PATCH_WIDTH_PX / _width_px(mesh)
    patch = _scaled(luma.astype(np.uint8), scale)
    inside = np.zeros(patch.shape, np.uint8)
    cv2.fillPoly(inside, [((outline - (x0, y0)) * scale).round().astype(np.int32)], 1)
    return patch, inside.astype(bool)


View = tuple[Pixels, Floats]
"""A face as the mesh model takes it, (192, 192, 3) uint8, and its mesh's (468, 2) in there."""


def views(pixels: Pixels, mesh: Floats) -> list[View]:
    """Cut four views of a face, shifted and turned a little."""
    rough = _crop_around(mesh.astype(np.float64))
    photo, corner, scale = _surroundings(pixels, rough)
    placed = (mesh - np.append(corner, 0)) * scale
    seen = []
    for crop in _shaken(_crop_around(placed.astype(np.float64))):
        square, to_crop = _cut(photo, crop)
        seen.append((square, (placed[:, :2] @ to_crop[:, :2].T + to_crop[:, 2]).astype(np.float32)))
    return seen


def lay_mesh(square: Pixels) -> tuple[Floats, float]:
    """Run the mesh model on a view: (468, 3) in its pixels, and its score 0..1."""
    points, logit = run(FACE_MESH, np.float32(1 / 255) * square, row_sizes=(3, 1))
    return points, float(_sigmoid(logit)[0, 0])


def sharpness(patch: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Tell how much detail a slight blur takes away, in the direction where it takes least.

    0 is hopelessly soft, 0.2 to 0.45 in focus. Taking the worst direction finds camera shake too;
    JPEG blocks and noise hardly matter: quality 10 changes it by 0.02. Source: Crete et al. 2007,
    The Blur Effect, SPIE 6492, with directional derivatives in place of its rows and columns.
    """
    sharp = patch.astype(np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), 1.5)
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    detail = [
        np.stack(
            [cv2.Sobel(image, cv2.CV_32F, 1, 0)[core], cv2.Sobel(image, cv2.CV_32F, 0, 1)[core]]
        )
        for image in (sharp, soft)
    ]
    turns = np.deg2rad(np.arange(0, 180, 22.5))
    along = np.stack([np.cos(turns), np.sin(turns)], -1)
    before, after = (np.abs(along @ gradient).mean(1) for gradient in detail)
    return float(1 - (after / np.maximum(before, 1e-6)).max())


def _face(pixels: Pixels, hit: Hit) -> Face | None:
    """Lay the mesh on a hit and measure it; None if the mesh model sees no face there."""
    # 1. Take the surroundings, shrunk to about the model's size: sampling would skip pixels.
    rough = _crop(hit.box, hit.eyes)
    photo, corner, scale = _surroundings(pixels, rough)
    if not photo.size:
        return None
    # 2. From the detector's rough box to the mesh's own, then average four crops around that.
    start = Crop((rough.centre - corner) * scale, rough.turn_deg, rough.side_px * scale)
    mesh, _ = _mesh(photo, start)
    tries = [_mesh(photo, crop) for crop in _shaken(_crop_around(mesh))]
    mean = np.mean([mesh for mesh, _ in tries], axis=0) / scale
    points = (mean + np.append(corner, 0)).astype(np.float32)
    mesh_score = float(np.mean([score for _, score in tries]))
    if hit.score * mesh_score < MIN_SCORE or not _in_sight(pixels, points):
        return None
    # 3. Measure.
    patch, inside = face_patch(pixels, points)
    yaw_deg, pitch_deg, roll_deg = _pose(points)
    x, y, width, height = (float(value) for value in hit.box)
    return Face(
        box=(x, y, width, height),
        score=hit.score,
        mesh=points,
        mesh_score=mesh_score,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        width_px=_width_px(points),
        luma=float(np.median(patch[inside])) / 255,
        sharpness=sharpness(patch, inside),
        unrest=_unrest([mesh / scale for mesh, _ in tries]),
    )


def _detect(pixels: Pixels, detector: Detector) -> list[Hit]:
    """Run one detector over the whole photo, letterboxed into its square."""
    # 1. Fit the photo into the middle of a black square.
    height, width = pixels.shape[:2]
    side = detector.input_px
    px = max(height, width) / side
    inner = (max(1, round(width / px)), max(1, round(height / px)))
    left, top = (side - inner[0]) // 2, (side - inner[1]) // 2
    square = np.zeros((side, side, 3), np.float32)
    square[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        pixels, inner, interpolation=cv2.INTER_AREA
    )
    # 2. Scores and boxes, relative to a grid of anchors.
    boxes, logits = run(detector.weight, square / 127.5 - 1, row_sizes=(16, 1))
    scores = _sigmoid(logits)[:, 0]
    found = scores >= MIN_SCORE
    anchors = _anchors(detector)[found]
    scores, boxes = scores[found], boxes[found]
    # 3. Back to the photo's pixels.
    origin = anchors - (left, top)
    sizes = boxes[:, 2:4]
    corners = boxes[:, :2] + origin - sizes / 2
    placed = np.concatenate([corners, sizes], 1) * px
    eyes = (boxes[:, 4:8].reshape(-1, 2, 2) + origin[:, None]) * px
    return [Hit(float(score), *place) for score, *place in zip(scores, placed, eyes, strict=True)]


def _detect_far(pixels: Pixels) -> Iterator[Hit]:
    """Run the full-range detector over overlapping windows of the photo."""
    height, width = pixels.shape[:2]
    side = math.ceil(max(height, width) * FAR_WINDOW)
    for top in _starts(height, side):
        for left in _starts(width, side):
            window = pixels[top : top + side, left : left + side]
            for hit in _detect(window, FULL_RANGE):
                shift = np.array([left, top, 0, 0])
                yield replace(hit, box=hit.box + shift, eyes=hit.eyes + shift[:2])


def _surest(hits: list[Hit]) -> list[Hit]:
    """Keep the surest of boxes that overlap."""
    boxes = [hit.box.tolist() for hit in hits]
    kept = cv2.dnn.NMSBoxes(boxes, [hit.score for hit in hits], 0.0, SAME_FACE_OVERLAP)
    return [hits[i] for i in np.ravel(kept).astype(int)]


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin along one edge: evenly, from one end to the other."""
    last = max(0, length - side)
    return [int(at) for at in np.linspace(0, last, math.ceil(last / (side * FAR_STEP)) + 1)]


@cache
def _anchors(detector: Detector) -> Array:
    """Centres of the grid's boxes in the detector's input pixels, in the order of its output."""
    rows = []
    for cells, boxes in detector.grid:
        y, x = np.divmod(np.arange(cells * cells), cells)
        rows.append(np.repeat(np.stack([x, y], 1) + 0.5, boxes, axis=0) / cells)
    return np.concatenate(rows) * detector.input_px


def _mesh(pixels: Pixels, crop: Crop) -> tuple[Array, float]:
    """Run the mesh model on a crop: (468, 3) in the photo's pixels, and its score 0..1."""
    square, to_crop = _cut(pixels, crop)
    points, score = lay_mesh(square)
    back = cv2.invertAffineTransform(to_crop)
    xy = points[:, :2] @ back[:, :2].T + back[:, 2]
    return np.column_stack([xy, points[:, 2] * crop.side_px / MESH_INPUT_PX]), score


def _cut(pixels: Pixels, crop: Crop) -> tuple[Pixels, Array]:
    """A crop as the mesh model takes it, and the (2, 3) matrix that leads into it."""
    zoom = MESH_INPUT_PX / crop.side_px
    to_crop = cv2.getRotationMatrix2D(crop.centre.tolist(), crop.turn_deg, zoom)
    to_crop[:, 2] = to_crop[:, 2] + MESH_INPUT_PX / 2 - crop.centre
    square = cv2.warpAffine(pixels, to_crop, (MESH_INPUT_PX, MESH_INPUT_PX))
    return square.astype(np.uint8), np.asarray(to_crop, np.float64)


def _shaken(crop: Crop) -> Iterator[Crop]:
    """The four crops beside one, as MESH_JITTER says."""
    for x, y, turn in MESH_JITTER:
        yield Crop(
            crop.centre + np.array([x, y]) * JITTER_SHIFT * crop.side_px,
            crop.turn_deg + turn * JITTER_TURN_DEG,
            crop.side_px * (1 + turn * JITTER_ZOOM),
        )


def _surroundings(pixels: Pixels, crop: Crop) -> tuple[Pixels, Array, float]:
    """What lies about a crop, twice the model's size at most: pixels, corner in the photo, scale.

    Empty where the crop lies outside the photo.
    """
    corner = np.maximum(crop.centre - crop.side_px, 0).astype(int)
    far_corner = np.ceil(crop.centre + crop.side_px).astype(int)
    scale = min(1.0, 2 * MESH_INPUT_PX / crop.side_px)
    window = pixels[corner[1] : far_corner[1], corner[0] : far_corner[0]]
    if min(window.shape[:2]) * scale < 1:
        return np.zeros((0, 0, 3), np.uint8), corner, scale
    return _scaled(window, scale), corner, scale


def _crop(box: Array, eyes: Array) -> Crop:
    turn_deg = math.degrees(math.atan2(*(eyes[1] - eyes[0])[::-1]))
    return Crop(box[:2] + box[2:] / 2, turn_deg, float(box[2:].max()) * MESH_MARGIN)


def _crop_around(mesh: Array) -> Crop:
    """The crop that MediaPipe takes from the frame before: the mesh's box along its eye line."""
    eyes = mesh[[RIGHT_EYE, LEFT_EYE], :2]
    along = eyes[1] - eyes[0]
    turn = np.array([along, [-along[1], along[0]]]) / np.linalg.norm(along)
    level = mesh[:, :2] @ turn.T
    low, high = level.min(0), level.max(0)
    box = np.concatenate([(low + high) / 2 @ turn - (high - low) / 2, high - low])
    return _crop(box, eyes)


def _pose(mesh: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees; all 0 for a face that looks straight into the camera.

    Yaw grows as the face turns to the photo's right, pitch as it looks up, roll as the head tips
    clockwise.
    """
    across = mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]
    down = mesh[CHIN] - mesh[BROW]
    ahead = -np.cross(across, down)
    ahead /= np.linalg.norm(ahead)
    return (
        math.degrees(math.atan2(ahead[0], -ahead[2])),
        math.degrees(math.asin(-ahead[1])) - LEVEL_PITCH_DEG,
        math.degrees(math.atan2(across[1], across[0])),
    )


def _scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=method).astype(np.uint8)


def _width_px(mesh: Floats) -> float:
    return float(np.linalg.norm(mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]))


def _unrest(tries: list[Array]) -> float:
    """How far points move between crops (RMS, in face widths), in the part where it is most."""
    width_px = _width_px(np.mean(tries, axis=0))
    moved = np.hypot(*np.std(tries, axis=0)[:, :2].T) / width_px
    return max(share * float(moved[list(part)].mean()) for part, share in UNREST_PARTS)


def _in_sight(pixels: Pixels, mesh: Floats) -> bool:
    """Whether the middle of the face lies in the photo at all."""
    x, y = mesh[:, :2].mean(0)
    return bool(0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0])


def _distinct(faces: list[Face]) -> list[Face]:
    """Keep the surest of faces that lie on one another: two hits can end on the same face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        middle = face.mesh[:, :2].mean(0)
        apart = [np.linalg.norm(middle - other.mesh[:, :2].mean(0)) for other in kept]
        if all(gap > face.width_px / 2 for gap in apart):
            kept.append(face)
    return kept


def _sigmoid(logits: Floats) -> Floats:
    odds: Floats = np.exp(logits.clip(-80, 80))
    return odds / (1 + odds)


def run(weight: Weight, square: Floats, *, row_sizes: tuple[int, int]) -> tuple[Floats, Floats]:
    """Run a model on an RGB square: its two outputs, larger first, as rows of these sizes."""
    with _net_lock:
        net = _net(weight)
        net.setInput(np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32))
        outputs = net.forward(net.getUnconnectedOutLayersNames())
        large, small = sorted(
            (np.array(output, np.float32) for output in outputs), key=lambda output: -output.size
        )
    return large.reshape(-1, row_sizes[0]), small.reshape(-1, row_sizes[1])


@cache
def _net(weight: Weight) -> cv2.dnn.Net:
    # OpenCV 5's new engine drops one of the detectors' two outputs
    return cv2.dnn.readNetFromTFLite(str(locate(weight)), cv2.dnn.ENGINE_CLASSIC)
