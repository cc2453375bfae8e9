"""Frames into files: H.264 and WebM, the same bytes each time on the same machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from figurine.types import Clip, Pixels

_BT709: Final = 1
"""Primaries, curve and matrix of ITU-R BT.709. Source: ITU-T H.273, tables 2 to 4."""
_LIMITED: Final = 1
"""Range of codes 16 to 235: what every player takes video for. Source: libavutil/pixfmt.h."""
_THREADS: Final = 2
"""Fixed, since the bytes depend on it."""
_H264: Final = {"preset": "slow", "crf": "19", "aq-mode": "3", "profile": "high"}
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


def frame(pixels: Pixels) -> Any:
    """A picture (H, W, 3), sRGB, as a video's frame: 4:2:0, an eighth of a float's memory."""
    import av  # noqa: PLC0415 - heavy, and only in a worker

    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    picture = av.VideoFrame.from_ndarray(pixels[:height, :width].copy(), format="rgb24")
    return picture.reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="BICUBIC"
    )


def encode(
    frames: Sequence[Any], *, order: Iterable[int], fps: int, step: Callable[[float], None]
) -> Clip:
    """A clip of these frames in this order. `step` hears the share done, and may raise to stop."""
    shown = [frames[index] for index in order]
    mp4 = _encoded(
        shown,
        "libx264",
        container="mp4",
        flags={"movflags": "+faststart"},
        options=_H264,
        fps=fps,
        step=lambda done: step(0.3 * done),
    )
    webm = _encoded(
        shown,
        "libvpx-vp9",
        container="webm",
        flags={},
        options=_VP9,
        fps=fps,
        step=lambda done: step(0.3 + 0.7 * done),
    )
    return Clip(mp4=mp4, webm=webm)


def _encoded(
    frames: Sequence[Any],
    codec: str,
    *,
    container: str,
    flags: dict[str, str],
    options: dict[str, str],
    fps: int,
    step: Callable[[float], None],
) -> bytes:
    import av  # noqa: PLC0415 - heavy, and only in a worker

    # "bitexact" leaves out the date, the chance number of a WebM and the encoder's version.
    settings = {"fflags": "+bitexact", **flags}
    # A file, since an MP4's index is moved to its front by reading it anew.
    with tempfile.TemporaryDirectory(prefix="reel-") as folder:
        path = Path(folder, f"clip.{container}")
        with av.open(str(path), "w", format=container, options=settings) as out:
            stream: Any = out.add_stream(codec, rate=fps, options={**options, "flags": "+bitexact"})
            stream.width, stream.height = frames[0].width, frames[0].height
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.thread_count = _THREADS
            context.time_base = Fraction(1, fps)
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED
            for number, picture in enumerate(frames):
                picture.pts, picture.time_base = number, Fraction(1, fps)
                out.mux(stream.encode(picture))
                step(number / len(frames))
            out.mux(stream.encode(None))
        step(1.0)
        return path.read_bytes()
