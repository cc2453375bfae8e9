"""A wall that is one picture: two displays side by side show what one of both their sizes shows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from billboard import pairing
from billboard.models import Play, Screen, Wall
from campaign.models import Campaign
from tests.billboard.rows import approved
from tests.e2e.conftest import Aside
from tests.e2e.screen import Open, settled
from tests.e2e.test_layouts import decode
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

GAP_PX = 20
PART_PX, HEIGHT_PX = 950, 540
WHOLE_PX = 2 * PART_PX + GAP_PX

IS_BLANK = """async () => {
    const main = document.querySelector('script[type=module]').src;
    return (await import(main.replace('main.js', 'watchdogs.js'))).isBlank();
}"""
"""What the watchdog would load the page anew for."""


def test_two_displays_show_one_picture_and_one_goes_on_alone(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    Campaign.objects.update(slot_s=600)
    wall = Wall.objects.create(campaign=campaign, name="Wall", width=WHOLE_PX, height=HEIGHT_PX)
    usual = {"campaign": campaign, "drift_px": 0, "layout": "mosaic4"}
    parts = [
        Screen(**usual, name=f"Part {n}", wall=wall, window=f"{left} 0 {PART_PX} {HEIGHT_PX}")
        for n, left in enumerate((0, PART_PX + GAP_PX))
    ]
    whole = Screen(**usual, name="Whole", panels_across=2, bezel_px=GAP_PX)
    keys = [pairing.issue_token(screen) for screen in (*parts, whole)]
    colours = ("#c81e28", "#1e3cc8", "#14963c", "#be14be")
    for n, shade in enumerate(colours):
        aside(approved, campaign, plaque=f"P{n}", colour=shade)
    left, right = (open_screen(key, size=(PART_PX, HEIGHT_PX)) for key in keys[:2])
    for page in (left, right):
        expect(page.locator(".place[data-is=taken]")).to_have_count(4, timeout=30_000)
    halves = [settled(left), settled(right)]
    # 1. Side by side they are what one display of the size of both shows.
    single = open_screen(keys[2], size=(WHOLE_PX, HEIGHT_PX))
    expected = settled(single)
    sides = (expected[:, :PART_PX], expected[:, -PART_PX:])
    ground = [np.abs(a.astype(int) - b).mean() for a, b in zip(halves, sides, strict=True)]
    assert max(ground) < 25
    # 2. The code is whole on one of them.
    found = 0
    for half in halves:
        try:
            decode(half)
            found += 1
        except AssertionError:
            continue
    assert found == 1
    # 3. Nobody is told to have been where they were not.
    told = Play.objects.filter(screen__in=Screen.objects.filter(wall=wall))
    wait_until(lambda: told.values("submission").distinct().count() == 4, within_s=10, what="plays")
    # 4. One of them ends; the other goes on, and its watchdog finds nothing wrong.
    left.context.close()
    aside(approved, campaign, plaque="NEW")
    expect(right.locator("[data-part=count]").first).to_have_text(re.compile("^5"))
    assert right.locator("html").get_attribute("data-socket") == "open"
    assert right.evaluate(IS_BLANK) is False
