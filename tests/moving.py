"""The smallest engine that makes everything: stills, films, and a model of one triangle."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
import trimesh

from figurine.engines import Progress, silent
from figurine.engines.base import Format
from figurine.types import Clip, Pixels, Recipe, Selfie
from tests.campaign.workshop import FrameEngine

FPS: Final = 12
FRAMES: Final = 12
SIZE_PX: Final = (108, 136)
CODECS: Final = {"mp4": "libx264", "webm": "libvpx-vp9"}


class MovingEngine(FrameEngine):
    """FrameEngine with a clip and geometry. Does as told in between."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(meanwhile)
        self.made: list[str] = []
        self.seen_faces: list[int] = []
        """How many were in each selfie that became a clip or a solid."""

    def clip(
        self, selfie: Selfie, recipe: Recipe, *, seed: int, progress: Progress = silent
    ) -> Clip:
        self.made.append("clip")
        self.seen_faces.append(len(selfie.faces))
        progress("turning", 0.5)
        self.meanwhile()
        progress("encoding", 0.9)
        frames = turning((200, 40, 120))
        return Clip(mp4=film(frames, "mp4"), webm=film(frames, "webm"))

    def geometry(
        self, selfie: Selfie, recipe: Recipe, *, format: Format, progress: Progress = silent
    ) -> bytes:
        self.made.append(format)
        self.seen_faces.append(len(selfie.faces))
        progress("casting", 0.25)
        self.meanwhile()
        progress("casting", 0.9)
        data = trimesh.creation.box((0.03, 0.054, 0.03)).export(file_type=format)
        return bytes(data)


def turning(rgb: tuple[int, int, int]) -> list[Pixels]:
    """A bar that goes round once before a plain colour: (136, 108, 3) uint8 each."""
    width, height = SIZE_PX
    frames = []
    for place in np.linspace(0, width, FRAMES, endpoint=False).astype(int):
        frame = np.full((height, width, 3), rgb, np.uint8)
        frame[:, place : place + 9] = 255
        frames.append(frame)
    return frames


def film(frames: list[Pixels], format: str) -> bytes:
    """Encode them; both formats play in Chromium."""
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream: Any = container.add_stream(CODECS[format], rate=Fraction(FPS))
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()
