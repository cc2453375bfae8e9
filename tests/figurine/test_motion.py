"""engines/sculpt/motion and reel: a loop without a seam that starts as the still, in real files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from figurine import provenance
from figurine.engines.sculpt import SculptEngine, motion, reel
from figurine.errors import Cancelled, NoFace
from figurine.types import Array, Clip, Recipe, Selfie

FPS = 2
SMALL = {"width_px": 270, "spp": 4, "fps": FPS}
SIZE = (270, 338)


def recipe(**options: int | str) -> Recipe:
    return Recipe("sculpt", "soldier", "painted", plaque="MAE", options={**SMALL, **options})


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, float]]:
    """What the clip's progress said."""
    return []


@pytest.fixture(scope="module")
def clip(engine: SculptEngine, selfie: Selfie, heard: list[tuple[str, float]]) -> Clip:
    return engine.clip(selfie, recipe(), seed=7, progress=lambda *said: heard.append(said))


@pytest.fixture(scope="module")
def shown(clip: Clip) -> Array:
    """The frames of the MP4, (frames, H, W, 3)."""
    return played(clip.mp4)[1]


def played(file: bytes) -> tuple[Any, Array]:
    """A file's codec, and its frames in the order they are shown."""
    with av.open(io.BytesIO(file), "r") as media:
        stream = media.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in media.decode(stream)]
        return stream.codec_context, np.stack(frames)


def apart(one: Array, other: Array) -> float:
    """Mean difference of two pictures, of 255."""
    return float(np.abs(one.astype(np.float32) - other).mean())


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_clip_plays_four_seconds_in_both_encodings(clip: Clip, kind: str, codec: str) -> None:
    file = getattr(clip, kind)
    context, frames = played(file)
    assert (context.name.removeprefix("lib"), context.pix_fmt) == (codec, "yuv420p")
    assert (context.width, context.height) == SIZE
    assert len(frames) == motion.LENGTH_S * FPS
    with av.open(io.BytesIO(file), "r") as media:
        assert media.duration == motion.LENGTH_S * av.time_base


def test_clip_index_lies_before_the_pictures(clip: Clip) -> None:
    assert clip.mp4.index(b"moov") < clip.mp4.index(b"mdat")


def test_encodings_show_the_same(clip: Clip, shown: Array) -> None:
    assert apart(played(clip.webm)[1], shown) < 2


def test_clip_starts_as_the_still(engine: SculptEngine, selfie: Selfie, shown: Array) -> None:
    (candidate,) = engine.generate(selfie, recipe(), seeds=[7])
    assert apart(candidate.still, shown[0]) < 3.5


def test_clip_has_no_seam(shown: Array) -> None:
    steps = [apart(one, other) for one, other in pairwise(shown)]
    assert apart(shown[-1], shown[0]) <= max(steps)
    assert max(steps) > 3


def test_sway_starts_and_ends_at_rest_and_goes_to_both_sides() -> None:
    sway = motion.sway(20, fps=24)
    turns = np.asarray([sway.turns_deg[index] for index in sway.order])
    assert len(turns) == 96
    assert (turns[0], turns.max(), turns.min()) == (0, 20, -20)
    assert max(abs(turns[1]), abs(turns[-1])) < 0.01
    assert list(turns[:49]) == list(turns[48::-1]) == [*(-turns[48:]), 0]
    assert len(sway.turns_deg) == 45, "poses too close to tell apart are one"


def test_clip_again_is_the_same_to_the_byte(clip: Clip, selfie: Selfie) -> None:
    assert SculptEngine().clip(selfie, recipe(), seed=7) == clip


def test_progress_climbs_and_is_heard_between_pictures(
    clip: Clip, heard: list[tuple[str, float]]
) -> None:
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    filming = [share for stage, share in heard if stage == "filming"]
    assert len(filming) > len(motion.sway(20, fps=FPS).turns_deg)


def test_cancel_while_filming_stops_the_work(engine: SculptEngine, selfie: Selfie) -> None:
    def leave(stage: str, done: float) -> None:
        if stage == "filming":
            raise Cancelled("left")

    with pytest.raises(Cancelled):
        engine.clip(selfie, recipe(), seed=7, progress=leave)


def test_clip_of_nobody_is_refused(engine: SculptEngine, selfie: Selfie) -> None:
    with pytest.raises(NoFace):
        engine.clip(Selfie(selfie.pixels, ()), recipe(), seed=7)


@pytest.mark.parametrize(("kind", "name"), [("mp4", "comment"), ("webm", "COMMENT")])
def test_clip_says_that_a_machine_made_it(kind: str, name: str) -> None:
    with reel.Reel() as frames:
        frames.add(np.full((64, 48, 3), 128, np.uint8))
        once, again = (frames.encoded(order=[0, 0], fps=12) for _ in range(2))
    assert once == again
    with av.open(io.BytesIO(getattr(once, kind))) as film:
        assert film.metadata[name] == f"AI-generated ({provenance.COMPOSITE})"


def test_odd_pictures_are_cut_to_even() -> None:
    with reel.Reel() as frames:
        frames.add(np.full((339, 271, 3), 90, np.uint8))
        _, shown = played(frames.encoded(order=[0, 0], fps=1).mp4)
    assert shown.shape == (2, *SIZE[::-1], 3)


@pytest.mark.parametrize("colour", [(198, 164, 124), (20, 24, 15), (250, 90, 22)])
def test_colours_survive_the_encoding(colour: tuple[int, int, int]) -> None:
    with reel.Reel() as frames:
        frames.add(np.full((64, 64, 3), colour, np.uint8))
        clip = frames.encoded(order=[0] * 4, fps=4)
    for file in (clip.mp4, clip.webm):
        assert np.abs(played(file)[1].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("share", [0.1, 0.6], ids=["mp4", "webm"])
def test_worker_killed_while_encoding_leaves_no_file(tmp_path: Path, share: float) -> None:
    code = f"""
import sys
import numpy as np
from figurine.engines.sculpt import reel

def step(done):
    if done > {share}:
        print("encoding", flush=True)
        sys.stdin.read()

with reel.Reel() as frames:
    frames.add(np.zeros((64, 64, 3), np.uint8))
    frames.encoded(order=[0] * 48, fps=24, step=step)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdout
        assert worker.stdout.readline() == "encoding\n"
        worker.kill()
    assert list(tmp_path.iterdir()) == []
