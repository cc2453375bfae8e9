"""Half a minute of `make soak-screen`: the whole product, a real Chromium, and all that breaks."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys

import numpy as np

from tests.e2e.frames import NEAR
from tests.soak_screen import PALETTE
from tests.stack import ROOT

LIMIT_S = 240
OF_NO_SCREEN = ("ok", "bad")


def test_nobody_is_taken_for_a_change_between_others() -> None:
    """What fades over paper passed for somebody who had been recalled."""
    tokens = (ROOT / "static/css/tokens.css").read_text()
    grounds = [
        tuple(bytes.fromhex(colour))
        for name, colour in re.findall(r"--([\w-]+): #([0-9a-f]{6});", tokens)
        if name not in OF_NO_SCREEN
    ]
    assert len(grounds) > 8
    share = np.linspace(0, 1, 101)[:, None]
    alike = [
        (one, other, person)
        for one, other in itertools.combinations([*PALETTE, *grounds, (255,) * 3, (0,) * 3], 2)
        for person in PALETTE
        if person not in (one, other)
        and np.abs(share * one + (1 - share) * other - person).max(axis=1).min() < NEAR
    ]
    assert alike == []


def test_nothing_is_wrong_on_a_screen_around_which_everything_breaks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak_screen", "--minutes", "0.5", "--seed", "592"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stdout, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    wrong = ("wrong", "seen_after_dark", "plays_untold", "plays_unseen", "errors")
    assert {name: said[name] for name in wrong if said[name]} == {}
    assert done.returncode == 0
    assert said["faults"].keys() >= {"recall_on", "valkey"}
    assert said["frames"] > 20
    assert said["changes"] >= 4
    assert said["darks"] >= 1
