"""Screens of one wall: one plan, one name, one moment; each of them goes on without the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billboard import nudges, planning, walls
from billboard.models import Screen, Wall
from campaign import showings
from campaign.models import Campaign
from tests.billboard.rows import approved
from tests.stack import NEW_SCREEN

pytestmark = pytest.mark.django_db


@pytest.fixture
def wall(campaign: Campaign) -> Wall:
    return Wall.objects.create(campaign=campaign, name="Times Square")


@pytest.fixture
def members(campaign: Campaign, wall: Wall) -> list[Screen]:
    return [
        Screen.objects.create(
            campaign=campaign, name=f"Panel {n}", wall=wall, last_seen_at=timezone.now()
        )
        for n in range(3)
    ]


def test_members_are_told_the_same_and_count_as_one(
    campaign: Campaign, members: list[Screen]
) -> None:
    beside = Screen.objects.create(campaign=campaign, name="Kiosk", last_seen_at=timezone.now())
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    made = planning.ensure(members[1])
    first, second, third, other = (made.slots[s.pk] for s in (*members, beside))
    assert first == second == third
    assert first[0].key != other[0].key
    assert made.outlook.slots_an_hour == 900


def test_plan_goes_on_when_members_come_and_go(campaign: Campaign, members: list[Screen]) -> None:
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    begun = planning.ensure(members[2]).slots[members[2].pk][0]
    # 1. The one that the plan was made for is silent.
    Screen.objects.filter(pk=members[0].pk).update(last_seen_at=None)
    campaign.feed.refresh_from_db()
    approved(campaign, plaque="NEW")
    left = planning.ensure(members[1])
    assert set(left.slots) == {members[1].pk, members[2].pk}
    assert left.slots[members[1].pk] == left.slots[members[2].pk]
    assert left.slots[members[1].pk][0] == begun
    # 2. It comes back into the middle of what is on.
    back = planning.ensure(members[0])
    assert len({back.slots[member.pk] for member in members}) == 1
    assert back.slots[members[0].pk][0] == begun


def test_screen_that_is_put_on_a_wall_follows_it(campaign: Campaign, members: list[Screen]) -> None:
    late = Screen.objects.create(campaign=campaign, name="A", last_seen_at=timezone.now())
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    planning.ensure(late)
    late.wall = members[0].wall
    late.save(update_fields=["wall"])
    planning._make(late, planning.current(campaign.pk), timezone.now())
    made = planning.current(campaign.pk)
    assert made is not None
    assert len({made.slots[screen.pk] for screen in (*members, late)}) == 1


def test_repeat_gives_way_only_when_all_can_have_the_picture(
    campaign: Campaign, members: list[Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(campaign, plaque="OLD")
    planning.ensure(members[0])
    grid = int((timezone.now() + timedelta(seconds=20)).timestamp()) // campaign.slot_s
    later = datetime.fromtimestamp(grid * campaign.slot_s + 3, UTC)
    monkeypatch.setattr(timezone, "now", lambda: later)
    Screen.objects.update(last_seen_at=later)
    planning.ensure(members[0])
    new = approved(campaign, plaque="NEW")
    slots = planning.ensure(members[0]).slots[members[0].pk]
    [first] = [slot.at_ms for slot in slots if slot.key == str(new.pk)][:1]
    assert first - planning._ms(later) == walls.LEAD_MS


def test_participants_are_told_of_the_wall_while_one_of_it_is_there(
    campaign: Campaign, members: list[Screen]
) -> None:
    people = [approved(campaign), approved(campaign)]
    planning.ensure(members[0])
    coming = [showings.next_of(one.pk) for one in people]
    assert {told.screen for told in coming if told} == {"Times Square"}
    Screen.objects.exclude(pk=members[2].pk).update(last_seen_at=None)
    assert any(showings.next_of(one.pk) for one in people)
    Screen.objects.update(last_seen_at=None)
    assert not any(showings.next_of(one.pk) for one in people)


def form(screen: Screen, **fields: str) -> dict[str, str]:
    words = {"campaign": str(screen.campaign_id), "name": screen.name, "is_active": "on"}
    return words | NEW_SCREEN | fields


def test_wall_of_another_campaign_is_refused_with_a_sentence(
    admin_client: Client, screen: Screen, other_campaign: Campaign
) -> None:
    foreign = Wall.objects.create(campaign=other_campaign, name="Piccadilly")
    address = f"/admin/billboard/screen/{screen.pk}/change/"
    answer = admin_client.post(address, form(screen, wall=str(foreign.pk)))
    words = "Piccadilly shows another campaign. Choose one of this campaign&#x27;s walls."
    assert words in answer.content.decode()
    screen.refresh_from_db()
    assert screen.wall is None


def test_wall_that_moves_to_another_campaign_leaves_its_screens(
    admin_client: Client, members: list[Screen], wall: Wall, other_campaign: Campaign
) -> None:
    address = f"/admin/billboard/wall/{wall.pk}/change/"
    assert "Panel 0, Panel 1, Panel 2" in admin_client.get(address).content.decode()
    answer = admin_client.post(address, {"campaign": other_campaign.pk, "name": wall.name})
    assert answer.status_code == 302
    assert Screen.objects.filter(wall=wall).count() == 0


# --- one picture ----------------------------------------------------------------------------------
@pytest.mark.parametrize("leaves", ["moved", "deleted"])
def test_screens_of_a_wall_that_is_no_more_are_planned_by_themselves_at_once(
    admin_client: Client,
    members: list[Screen],
    wall: Wall,
    other_campaign: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
    leaves: str,
) -> None:
    before = planning.ensure(members[0])
    called: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(nudges, "call", lambda of, *, screens: called.append((of, screens)))
    with django_capture_on_commit_callbacks(execute=True):
        if leaves == "moved":
            fields = {"campaign": other_campaign.pk, "name": wall.name}
            admin_client.post(f"/admin/billboard/wall/{wall.pk}/change/", fields)
        else:
            admin_client.post(f"/admin/billboard/wall/{wall.pk}/delete/", {"post": "yes"})
    assert called == [(members[0].campaign_id, [screen.pk for screen in members])]
    # One for whoever is making a plan meanwhile, which is not taken; and one that is made now.
    assert planning.ensure(Screen.objects.get(pk=members[0].pk)).rev == before.rev + 2


def sizes(wall: Wall) -> None:
    Wall.objects.filter(pk=wall.pk).update(width=3860, height=1080)


def test_screen_knows_its_part_and_where_the_displays_meet(
    campaign: Campaign, wall: Wall, members: list[Screen]
) -> None:
    sizes(wall)
    for n, window in enumerate(("0 0 1920 1080", "1940 0 1920 1080", "")):
        Screen.objects.filter(pk=members[n].pk).update(window=window)
    told = walls.picture(Screen.objects.get(pk=members[1].pk))
    assert told == walls.Picture(3860, 1080, (1940, 0, 1920, 1080), ((1920, 1940),), ())
    assert walls.picture(Screen.objects.get(pk=members[2].pk)) is None


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 10), (12, 20), (20, 30)], ((10, 12), (20, 20))),
        ([(0, 10), (0, 10)], ()),
        ([(0, 10), (5, 15)], ()),
    ],
    ids=["a gap and a line", "one above the other", "over each other"],
)
def test_seams_lie_between_displays(
    spans: list[tuple[int, int]], expected: tuple[tuple[int, int], ...]
) -> None:
    assert walls.seams(spans) == expected


@pytest.mark.parametrize(
    ("is_picture", "window", "words"),
    [
        (True, "", "This wall is one picture. Say which part of it this screen shows."),
        (True, "1950 0 1920 1080", "That reaches over the wall, which is 3860 by 1080."),
        (True, "left", "Four whole numbers: left, top, width, height."),
        (True, "0 0 0 1080", "Four whole numbers: left, top, width, height."),
        (False, "0 0 10 10", "Only on a wall that has a width and a height."),
    ],
)
def test_window_that_cannot_be_is_refused_with_a_sentence(
    admin_client: Client, screen: Screen, wall: Wall, is_picture: bool, window: str, words: str
) -> None:
    if is_picture:
        sizes(wall)
    address = f"/admin/billboard/screen/{screen.pk}/change/"
    answer = admin_client.post(address, form(screen, wall=str(wall.pk), window=window))
    assert words in answer.content.decode()
    screen.refresh_from_db()
    assert screen.wall is None


def test_one_picture_needs_both_sides(admin_client: Client, wall: Wall) -> None:
    address = f"/admin/billboard/wall/{wall.pk}/change/"
    fields = {"campaign": wall.campaign_id, "name": wall.name, "width": 100}
    words = "One picture needs both a width and a height."
    assert words in admin_client.post(address, fields).content.decode()
