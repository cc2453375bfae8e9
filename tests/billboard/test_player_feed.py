"""What is held after which frames."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import (
    ABC,
    changes,
    first_part,
    item,
    moving,
    now_moving,
    rest,
    run,
    snapshot,
)


def feed_after(page: Page, *frames: dict[str, Any]) -> dict[str, Any]:
    """What is held after these frames, and what the last of them said."""
    body = """
        const feed = new m.Feed();
        let news;
        for (const frame of g) {
            if (frame.type === 'beat') feed.isBehind(frame); else news = feed.apply(frame);
        }
        return {held: [...feed.items.keys()].join(''), seq: feed.place.seq, epoch: feed.place.epoch,
            removed: news.removed.join(''), added: news.added.map((i) => i.submission).join(''),
            moving: news.moving.map((i) => i.submission).join(''), isBehind: news.isBehind};
    """
    held: dict[str, Any] = run(page, "feed", body, *frames)
    return held


def test_changes_follow_a_snapshot(page: Page) -> None:
    assert feed_after(page, snapshot(2, ABC[0], ABC[1]), changes(2, 4, ABC[2], ("A", 4))) == {
        "held": "BC",
        "seq": 4,
        "epoch": "e",
        "removed": "A",
        "added": "C",
        "moving": "",
        "isBehind": False,
    }


def test_same_frame_again_changes_nothing(page: Page) -> None:
    twice = changes(1, 2, ABC[1])
    news = feed_after(page, snapshot(1, ABC[0]), twice, twice)
    assert (news["held"], news["added"], news["isBehind"]) == ("AB", "", False)


def test_gap_asks_for_a_pull_but_takes_down_at_once(page: Page) -> None:
    news = feed_after(page, snapshot(2, ABC[0], ABC[1]), changes(5, 7, item("D", 6), ("A", 7)))
    assert (news["held"], news["removed"], news["seq"], news["isBehind"]) == ("B", "A", 2, True)


@pytest.mark.parametrize(
    "late",
    [
        changes(0, 1, ABC[0]),
        changes(0, 6, ABC[0], ABC[1]),
        snapshot(6, ABC[0], ABC[1]),
        snapshot(1, ABC[0]),
    ],
    ids=["old addition", "old replay", "snapshot from before", "old snapshot"],
)
def test_recalled_item_never_comes_back_by_a_late_frame(page: Page, late: dict[str, Any]) -> None:
    start = snapshot(2, ABC[0], ABC[1])
    assert "A" not in feed_after(page, start, changes(5, 7, ("A", 7)), late)["held"]
    assert "A" not in feed_after(page, start, changes(2, 7, ("A", 7)), late)["held"]


def test_item_approved_again_after_its_recall_is_shown(page: Page) -> None:
    start = snapshot(1, ABC[0])
    news = feed_after(page, start, changes(3, 4, ("A", 4)), changes(1, 9, item("A", 9)))
    assert (news["held"], news["added"]) == ("A", "A")


@pytest.mark.parametrize(
    "frame",
    [
        changes(1, 3, {**item("A", 3), "figurine": 2}),
        snapshot(3, {**item("A", 3), "figurine": 2}),
        snapshot(3, {**item("A", 1), "figurine": 2}),
    ],
    ids=["changes", "snapshot", "snapshot of another figurine alone"],
)
def test_figurine_withdrawn_and_made_again_goes_before_the_new_one_comes(
    page: Page, frame: dict[str, Any]
) -> None:
    news = feed_after(page, snapshot(1, ABC[0]), frame)
    assert (news["removed"], news["added"], news["held"]) == ("A", "A", "A")


def test_figurine_made_again_beyond_a_gap_takes_the_old_one_down_for_good(page: Page) -> None:
    again = changes(5, 7, {**item("A", 7), "figurine": 2})
    news = feed_after(page, snapshot(1, ABC[0]), again)
    assert (news["removed"], news["held"], news["isBehind"]) == ("A", "", True)
    assert feed_after(page, snapshot(1, ABC[0]), again, snapshot(1, ABC[0]))["held"] == ""


@pytest.mark.parametrize(
    "frame", [now_moving(3, ABC[0]), snapshot(3, moving(ABC[0]), ABC[1])], ids=["changes", "all"]
)
def test_figurine_that_moves_now_is_neither_taken_down_nor_put_up(
    page: Page, frame: dict[str, Any]
) -> None:
    news = feed_after(page, snapshot(2, ABC[0], ABC[1]), frame)
    told = [news[name] for name in ("removed", "added", "moving", "held", "seq", "isBehind")]
    assert told == ["", "", "A", "AB", 3, False]
    again = feed_after(page, snapshot(2, ABC[0], ABC[1]), frame, frame)
    assert again["moving"] == "", "it is told once"


def test_clip_of_a_figurine_that_was_missed_adds_it_with_the_clip(page: Page) -> None:
    news = feed_after(page, snapshot(0), {**now_moving(2, ABC[0]), "after": 0})
    assert (news["added"], news["moving"], news["held"]) == ("A", "", "A")


def test_recall_takes_down_what_moves_and_a_late_clip_brings_nothing_back(page: Page) -> None:
    start, late = snapshot(1, ABC[0]), now_moving(2, ABC[0])
    gone = feed_after(page, start, late, changes(2, 3, ("A", 3)))
    assert (gone["removed"], gone["held"]) == ("A", "")
    assert feed_after(page, start, changes(1, 3, ("A", 3)), late)["held"] == ""
    assert feed_after(page, start, changes(2, 3, ("A", 3)), late)["held"] == ""


def test_whoever_came_up_in_an_older_epoch_moves_where_they_are(page: Page) -> None:
    """Their seq is 0 there."""
    held = item("A", 0)
    frame = changes(1, 2, moving(held))
    frame["changes"][0]["seq"] = 2
    news = feed_after(page, snapshot(1, held), frame)
    assert (news["removed"], news["added"], news["moving"], news["held"]) == ("", "", "A", "A")


def test_snapshot_of_a_new_epoch_replaces_everything(page: Page) -> None:
    news = feed_after(page, snapshot(9, *ABC), snapshot(1, item("D", 1), epoch="f"))
    assert (news["held"], news["removed"], news["seq"], news["epoch"]) == ("D", "ABC", 1, "f")


def test_frames_of_another_epoch_ask_for_a_pull(page: Page) -> None:
    news = feed_after(page, snapshot(1, ABC[0]), changes(1, 2, ABC[1], epoch="f"))
    assert (news["held"], news["isBehind"]) == ("A", True)


def test_frames_of_a_past_epoch_are_late_until_a_beat_says_otherwise(page: Page) -> None:
    old, new = snapshot(9, *ABC), snapshot(1, item("D", 1), epoch="f")
    assert feed_after(page, old, new, old)["held"] == "D"
    beat = {"type": "beat", "epoch": "e", "seq": 9}
    assert feed_after(page, old, new, beat, old)["held"] == "ABC"


def test_snapshot_renews_addresses_without_news(page: Page) -> None:
    fresh = {**ABC[0], "picture": "/media/fresh"}
    body = """
        const feed = new m.Feed();
        feed.apply(g[0]);
        const {added, removed} = feed.apply(g[1]);
        return [feed.items.get('A').picture, added.length, removed.length];
    """
    assert run(page, "feed", body, snapshot(1, ABC[0]), snapshot(1, fresh)) == [
        "/media/fresh",
        0,
        0,
    ]


# --- a snapshot that comes part by part -----------------------------------------------------------
D, C, B, A = (
    {**item(name, seq), "figurine": figurine}
    for name, seq, figurine in (("D", 4, 40), ("C", 3, 30), ("B", 2, 20), ("A", 1, 10))
)
FIRST = first_part(4, [40, 30, 20, 10], D, C)


def test_parts_of_a_snapshot_come_one_after_the_other(page: Page) -> None:
    news = feed_after(page, FIRST, rest(30, B, more=20), rest(20, A))
    assert (news["held"], news["added"], news["seq"]) == ("DCBA", "A", 4)


def test_first_part_takes_down_whoever_is_not_up_and_leaves_the_others_up(page: Page) -> None:
    gone = {**item("E", 5), "figurine": 50}
    news = feed_after(page, snapshot(3, A, B, gone, epoch="d"), FIRST)
    assert (news["removed"], news["added"], news["held"]) == ("E", "DC", "ABDC")


def test_figurine_that_another_part_replaces_goes_with_the_first(page: Page) -> None:
    older = {**A, "figurine": 9}
    news = feed_after(page, snapshot(3, older, epoch="d"), FIRST)
    assert (news["removed"], news["held"]) == ("A", "DC")


def test_part_tells_of_a_later_showing_of_the_same_figurine(page: Page) -> None:
    news = feed_after(page, snapshot(3, {**B, "seq": 1}, epoch="d"), FIRST, rest(30, B, A))
    assert (news["removed"], news["added"], news["held"]) == ("B", "BA", "DCBA")


@pytest.mark.parametrize(
    "between",
    [
        [changes(4, 5, ("B", 5)), changes(5, 6, item("F", 6))],
        [changes(5, 6, ("B", 6)), changes(4, 7, ("B", 6), item("F", 7))],
    ],
    ids=["in order", "over a gap"],
)
def test_who_is_recalled_before_their_part_comes_stays_down(
    page: Page, between: list[dict[str, Any]]
) -> None:
    news = feed_after(page, FIRST, *between, rest(30, B, A))
    assert (news["held"], news["added"]) == ("DCFA", "A")


def test_part_that_was_read_before_the_clip_was_made_leaves_it(page: Page) -> None:
    told = now_moving(5, B)
    body = """
        const feed = new m.Feed();
        g.forEach((frame) => feed.apply(frame));
        return feed.items.get('B').clip.mp4;
    """
    assert run(page, "feed", body, FIRST, told, rest(30, B, A)) == "/media/B.mp4"


@pytest.mark.parametrize(
    "late",
    [
        rest(30, {**item("X", 1), "figurine": 5}),
        rest(20, A),
        {**rest(30, B, A), "epoch": "d"},
    ],
    ids=["not named", "not asked for", "of another epoch"],
)
def test_part_that_is_not_the_next_of_this_snapshot_brings_nobody(
    page: Page, late: dict[str, Any]
) -> None:
    assert feed_after(page, FIRST, late)["held"] == "DC"


def test_part_is_told_of_whom_it_knows_already_and_of_nobody_it_leaves_out(page: Page) -> None:
    """A new day of theirs is to lie on the device, too."""
    sooner = {**B, "until": "2099-01-01T00:00:00Z"}
    body = """
        const feed = new m.Feed();
        const news = g.map((frame) => feed.apply(frame));
        return news.map(({told, added}) =>
            [told.map((i) => [i.submission, i.until ?? null]), added.length]);
    """
    left_out = {**item("X", 1), "figurine": 5}
    told = run(page, "feed", body, snapshot(3, B), FIRST, rest(30, sooner, left_out))
    assert told == [
        [[["B", None]], 1],
        [[["D", None], ["C", None]], 2],
        [[["B", "2099-01-01T00:00:00Z"]], 0],
    ]


def test_parts_of_an_older_snapshot_bring_nobody_back(page: Page) -> None:
    newer = first_part(6, [40, 30, 10], D, C)
    assert feed_after(page, FIRST, newer, rest(30, B, A))["held"] == "DCA"
    whole = snapshot(6, D, C)
    assert feed_after(page, FIRST, whole, rest(30, B, A))["held"] == "DC"


def test_those_who_are_still_to_come_count(page: Page) -> None:
    body = """
        const feed = new m.Feed(), counted = [];
        feed.restore([g[0]]);
        for (const frame of g.slice(1)) {
            feed.apply(frame);
            counted.push([feed.count, feed.rest]);
        }
        return counted;
    """
    frames = [FIRST, rest(30, B, more=20), rest(20, A)]
    assert run(page, "feed", body, A, *frames) == [[4, 30], [4, 20], [4, None]]
