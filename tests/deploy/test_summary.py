from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.console import Console
from deploy.first_run import FirstRun
from deploy.summary import BLACK_CELL, BLACK_ON_WHITE, qr_lines, show_summary

URL = "http://192.168.178.123:8000/c/demo/"
FIRST = FirstRun(
    phone_url=URL,
    review_url="http://192.168.178.123:8000/admin/",
    screen_url="http://192.168.178.123:8000/screen/?pair=ABCD1234",
    username="crew",
    password="correct-horse",
    password_file="var/moderator.txt",
)
MODULE_PX = 8
HALVES = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}


def scan(lines: list[str], *, inked: bool = False) -> str:
    """What a camera reads off the terminal: blocks are light, or with `inked` dark on light."""
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line.replace(BLACK_CELL, "█")) for line in lines]
    rows = [[HALVES[block][half] for block in line] for line in plain for half in (0, 1)]
    image = np.array(rows, np.uint8).repeat(MODULE_PX, axis=0).repeat(MODULE_PX, axis=1)
    return cv2.QRCodeDetectorAruco().detectAndDecode(255 - image if inked else image)[0]


@pytest.mark.parametrize("colour", [True, False])
def test_qr_code_scans(colour: bool) -> None:
    assert scan(qr_lines(URL, colour=colour), inked=colour) == URL


def test_qr_code_sets_both_its_colours() -> None:
    for line in qr_lines(URL, colour=True):
        assert line.startswith(BLACK_ON_WHITE)
        assert line.endswith("\x1b[0m")


@pytest.mark.parametrize("width", [60, 200])
def test_summary_shows_links_account_and_code(console: Console, terminal: Path, width: int) -> None:
    show_summary(console, FIRST, width=width, took_s=6.1, zone="Asia/Tokyo", is_self_made=False)
    console.close()
    shown = terminal.read_text()
    for expected in (
        URL,
        FIRST.review_url,
        FIRST.screen_url,
        "crew",
        "correct-horse",
        "Asia/Tokyo",
    ):
        assert expected in shown
    side = len(qr_lines(URL, colour=False)[0])
    code = [line[2 : 2 + side] for line in shown.splitlines() if line[2:3] in HALVES]
    code = [line for line in code if len(line) == side and set(line) <= set(HALVES)]
    assert scan(code) == URL


def test_summary_beside_the_code_fits_the_width(console: Console, terminal: Path) -> None:
    show_summary(console, FIRST, width=120, took_s=6.1, zone="Asia/Tokyo", is_self_made=False)
    console.close()
    assert max(map(len, terminal.read_text().splitlines())) <= 120


def test_summary_of_a_later_start_names_the_file_alone(console: Console, terminal: Path) -> None:
    later = FirstRun(**{**FIRST.__dict__, "password": None})
    show_summary(console, later, width=120, took_s=6.1, zone="Asia/Tokyo", is_self_made=False)
    console.close()
    assert "correct-horse" not in terminal.read_text()
    assert "var/moderator.txt" in terminal.read_text()


@pytest.mark.parametrize(
    ("origin", "is_said"),
    [
        ("http://192.168.178.123:8000", True),
        ("https://192.168.178.123:8000", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_summary_says_whether_others_in_the_network_can_read_along(
    console: Console, terminal: Path, origin: str, is_said: bool
) -> None:
    first = replace(FIRST, phone_url=f"{origin}/c/demo/")
    show_summary(console, first, width=60, took_s=6.1, zone="Asia/Tokyo", is_self_made=False)
    console.close()
    shown = terminal.read_text()
    assert ("whoever is in this network can read" in shown) is is_said
    assert ("make run HTTPS=1" in shown) is origin.startswith("http://")


@pytest.mark.parametrize("is_self_made", [True, False])
def test_summary_behind_a_proxy_tells_of_no_certificate_of_ours(
    console: Console, terminal: Path, is_self_made: bool
) -> None:
    first = replace(FIRST, phone_url="https://booth.example/c/demo/")
    show_summary(console, first, width=60, took_s=6.1, zone="Asia/Tokyo", is_self_made=is_self_made)
    console.close()
    assert ("Self-made certificate" in terminal.read_text()) is is_self_made
