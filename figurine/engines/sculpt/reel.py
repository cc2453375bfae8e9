"""Frames into files: H.264 and WebM, the same bytes each time on the same machine."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, Self

import cv2
import numpy as np

from figurine import provenance
from figurine.types import Clip, Pixels

_LUMA: Final = (0.2126, 0.7152, 0.0722)
_BT709: Final = 1
"""Primaries, curve and matrix of ITU-R BT.709. Source: ITU-T H.273, tables 2 to 4."""
_LIMITED: Final = 1
"""Range of codes 16 to 235: what every player takes video for. Source: libavutil/pixfmt.h."""
_THREADS: Final = 2
"""Fixed, since the bytes depend on it."""
_H264: Final = {"preset": "slow", "crf": "17", "aq-mode": "3", "profile": "high"}
"""aq-mode 3 spends bits on dark, smooth ground, where bands would show."""
_VP9: Final = {
    "deadline": "good",
    "cpu-used": "3",
    "crf": "28",
    "b": "0",
    "tile-columns": "1",
    "row-mt": "0",
    "auto-alt-ref": "1",
    "lag-in-frames": "25",
}
_CODECS: Final = {"mp4": ("libx264", _H264), "webm": ("libvpx-vp9", _VP9)}
_MP4_SHARE: Final = 0.3
"""Of the time that both take."""


class Reel:
    """Pictures kept on disk, as videos have them, until all are there."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="reel-")  # noqa: SIM115 - closed by __exit__
        self._shape = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, pixels: Pixels) -> None:
        """One more picture (H, W, 3), sRGB, as large as the others; an odd edge is cut off."""
        planes = _planes(pixels)
        self._shape = planes.shape[0], planes.shape[1]
        self._file.write(planes.tobytes())

    def encoded(
        self, *, order: Sequence[int], fps: int, step: Callable[[float], None] = lambda done: None
    ) -> Clip:
        """A clip of the pictures in this order. `step` hears the share done, and may raise."""
        return Clip(
            mp4=self._written("mp4", order, fps, lambda done: step(_MP4_SHARE * done)),
            webm=self._written(
                "webm", order, fps, lambda done: step(_MP4_SHARE + (1 - _MP4_SHARE) * done)
            ),
        )

    def _written(
        self, kind: str, order: Sequence[int], fps: int, step: Callable[[float], None]
    ) -> bytes:
        import av  # noqa: PLC0415 - heavy, and only in a worker

        codec, options = _CODECS[kind]
        # "bitexact" leaves out the date, the chance number of a WebM and the encoder's version.
        settings = {"fflags": "+bitexact"}
        if kind == "mp4":
            settings["movflags"] = "+faststart"
        # In memory: a worker may be killed here, and a named file would outlive it.
        film = io.BytesIO()

        def read_anew(url: str, flags: int, options: dict[str, str]) -> io.BytesIO:
            """An MP4's index is moved to its front by reading the pictures once more."""
            return io.BytesIO(film.getvalue())

        with av.open(film, "w", format=kind, options=settings, io_open=read_anew) as out:
            out.metadata["comment"] = provenance.comment(provenance.COMPOSITE)
            stream: Any = out.add_stream(codec, rate=fps, options={**options, "flags": "+bitexact"})
            stream.height, stream.width = self._shape[0] * 2 // 3, self._shape[1]
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.thread_count = _THREADS
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED
            for number, index in enumerate(order):
                frame = av.VideoFrame.from_ndarray(self._frame(index), format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                out.mux(stream.encode(frame))
                step(number / len(order))
            out.mux(stream.encode(None))
        step(1.0)
        return film.getvalue()

    def _frame(self, index: int) -> Pixels:
        size = self._shape[0] * self._shape[1]
        self._file.seek(index * size)
        return np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)


def _planes(pixels: Pixels) -> Pixels:
    """A picture (H, W, 3) as the planes of a 4:2:0 video, (3/2 H, W), in BT.709's codes.

    Source: ITU-R BT.709-6, items 3.2 to 3.4. Exact to half a code, where libswscale's is to two.
    """
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    rgb = pixels[:height, :width].astype(np.float32) / 255
    red, _, blue = _LUMA
    luma = rgb @ np.asarray(_LUMA, np.float32)
    half = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    grey = half @ np.asarray(_LUMA, np.float32)
    planes = (
        16 + 219 * luma,
        128 + 224 * (half[..., 2] - grey) / (2 * (1 - blue)),
        128 + 224 * (half[..., 0] - grey) / (2 * (1 - red)),
    )
    codes = [np.round(plane).astype(np.uint8).ravel() for plane in planes]
    return np.concatenate(codes).reshape(height * 3 // 2, width)
