from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billboard import commands, pairing, planning, playlist, plays, upcoming
from billboard.feed import Place
from billboard.models import CommandKind, Layout, Plan, Screen
from billboard.protocol import Acks, Here, Shown, Vitals
from campaign import approval, lifecycle, queries, showings
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, recall
from tests.stack import NEW_SCREEN

pytestmark = pytest.mark.django_db


@pytest.fixture
def online(screen: Screen) -> Screen:
    Screen.objects.filter(pk=screen.pk).update(last_seen_at=timezone.now())
    return Screen.objects.select_related("campaign").get(pk=screen.pk)


def keys(screen: Screen) -> list[str]:
    return [slot.submission for slot in planning.frame(planning.ensure(screen), screen).slots]


def says(screen: Screen, *, is_drawing: bool | None = True) -> None:
    """What a screen tells with every beat."""
    plays.heard(screen, Here(Place(), "1", 1920, 1080, Vitals(is_drawing=is_drawing)))


def report(screen: Screen, submission: Submission) -> None:
    """The screen says that the first planned slot of theirs has begun."""
    assert submission.figurine
    shown = Shown(uuid4(), submission.pk, submission.figurine.pk, 1, timezone.now(), 8000)
    plays.record(screen, Acks(1, (shown,)))


def test_plan_is_kept_and_goes_on(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ONE", "TWO", "SIX"):
        approved(campaign, plaque=name)
    first = planning.ensure(online)
    assert planning.ensure(online) is first
    later = timezone.now() + planning.REMAKE + timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    Screen.objects.update(last_seen_at=later)
    for submission in Submission.objects.all():
        report(online, submission)
    second = planning.ensure(online)
    assert second.rev == first.rev + 1
    whole = first.slots[online.pk]
    assert [slot for slot in second.slots[online.pk] if slot.at_ms <= whole[-1].at_ms] == [
        slot for slot in whole if slot.at_ms >= second.slots[online.pk][0].at_ms
    ]
    assert second.slots[online.pk][-1].end_ms > whole[-1].end_ms


def test_frame_is_bounded_and_says_when_who_is_on(campaign: Campaign, online: Screen) -> None:
    mae = approved(campaign)
    said: dict[str, Any] = planning.frame(planning.ensure(online), online).as_json()
    assert (said["type"], len(said["slots"])) == ("plan", planning.FRAME_SLOTS_LEAST)
    slot = said["slots"][0]
    assert (slot["submission"], slot["place"]) == (str(mae.pk), 0)
    on_ms = slot["at_ms"] - datetime.fromisoformat(said["at"]).timestamp() * 1000
    assert abs(on_ms) < 5000
    assert 8000 <= slot["duration_ms"] < 16_000


def test_recalled_are_in_no_plan_and_nobody_is_told(campaign: Campaign, online: Screen) -> None:
    mae, grace = approved(campaign, plaque="MAE"), approved(campaign, plaque="GRACE")
    assert {str(mae.pk), str(grace.pk)} == set(keys(online))
    planned = showings.next_of(mae.pk)
    assert planned is not None
    assert queries.status(mae).next_at == planned.at.isoformat()
    assert queries.status(mae).next_screen == "Broadway 1"
    recall(mae)
    assert showings.next_of(mae.pk) is None
    assert queries.status(mae).next_at == ""
    assert set(keys(online)) == {str(grace.pk)}
    assert showings.next_of(mae.pk) is None


def test_screen_that_is_away_is_promised_to_nobody(campaign: Campaign, online: Screen) -> None:
    approved(campaign)
    other = approved(campaign)
    planning.ensure(online)
    assert showings.next_of(other.pk) or showings.next_of(Submission.objects.first().pk)  # type: ignore[union-attr]
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    assert [showings.next_of(pk) for pk in Submission.objects.values_list("pk", flat=True)] == [
        None,
        None,
    ]


def test_slot_that_no_screen_reported_was_not_shown(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {str(one.pk): one for one in (approved(campaign, plaque=f"P{n}") for n in range(8))}
    slots = planning.ensure(online).slots[online.pk]
    assert {slot.kind for slot in slots[:8]} == {"first"}
    later = timezone.now() + timedelta(seconds=45)
    monkeypatch.setattr(timezone, "now", lambda: later)
    Screen.objects.update(last_seen_at=later)
    begun = [slot.key for slot in slots if slot.at_ms <= later.timestamp() * 1000]
    missed, *heard = begun
    for key in heard:
        report(online, people[key])
    ahead = [s for s in planning.ensure(online).slots[online.pk] if s.key not in heard]
    assert missed in {slot.key for slot in ahead if slot.kind == "first"}
    assert {slot.key for slot in ahead} == people.keys() - set(heard)


@pytest.mark.parametrize("moment", ["last_seen_at", "undrawn_at"])
def test_screen_that_went_before_the_clock_was_set_back_has_no_turns(
    campaign: Campaign, online: Screen, moment: str
) -> None:
    """Else it would be taken for one that lives until the clock is there again."""
    now = timezone.now()
    dead = Screen.objects.create(
        campaign=campaign,
        name="Broadway 2",
        **{"last_seen_at": now, moment: now + timedelta(hours=1)},
    )
    approved(campaign)
    assert (dead.is_heard, dead.has_turns) == (moment != "last_seen_at", moment != "undrawn_at")
    assert planning.ensure(online).slots.keys() == {online.pk}


def test_everybody_has_turns_after_the_clock_was_set_back(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was shown is told by the feed: by the clock they were not, until it is there again."""
    now = timezone.now()
    with monkeypatch.context() as ahead:
        ahead.setattr(timezone, "now", lambda: now + timedelta(hours=1))
        people = [approved(campaign, plaque=f"P{n}") for n in range(6)]
    for one in people:
        report(online, one)
    slots = planning.ensure(online).slots[online.pk][:12]
    assert {slot.kind for slot in slots} == {"repeat"}
    assert all(sum(s.key == str(one.pk) for s in slots) == 2 for one in people)


def test_whoever_goes_up_once_more_waits_though_their_play_of_before_is_told_late(
    campaign: Campaign, online: Screen
) -> None:
    mae = approved(campaign)
    report(online, mae)
    approval.undo(mae, actor=lifecycle.SYSTEM)
    mae.refresh_from_db()
    approval.approve(mae, actor=lifecycle.SYSTEM)
    assert planning._counts(campaign.pk) == {}
    report(online, mae)  # of the first line
    assert planning._counts(campaign.pk) == {}


def test_plan_reads_no_counts_of_those_who_are_gone(campaign: Campaign, online: Screen) -> None:
    kept, gone = approved(campaign, plaque="KEPT"), approved(campaign, plaque="GONE")
    for one in (kept, gone):
        report(online, one)
    recall(gone)
    assert planning._counts(campaign.pk).keys() == {kept.pk}


def test_two_screens_share_those_who_are_new(campaign: Campaign, online: Screen) -> None:
    second = Screen.objects.create(
        campaign=campaign, name="Broadway 2", last_seen_at=timezone.now()
    )
    for n in range(4):
        approved(campaign, plaque=f"P{n}")
    made = planning.ensure(online)
    begin = {slots[0].key for slots in made.slots.values()}
    assert made.slots.keys() == {online.pk, second.pk}
    assert len(begin) == 2
    assert made.outlook.slots_an_hour == 900


@pytest.mark.parametrize("is_heard", [True, False], ids=["draws nothing", "not heard"])
def test_dark_screen_has_no_part_in_the_plan_and_is_back_within_a_beat(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch, is_heard: bool
) -> None:
    second = Screen.objects.create(campaign=campaign, name="Broadway 2")
    for n in range(4):
        approved(campaign, plaque=f"P{n}")
    begin = timezone.now()

    def planned(after_s: int, *, is_well: bool) -> tuple[set[int], int]:
        monkeypatch.setattr(timezone, "now", lambda: begin + timedelta(seconds=after_s))
        says(online)
        if is_well or is_heard:
            says(second, is_drawing=is_well)
        made = planning.ensure(online)
        return set(made.slots), made.outlook.slots_an_hour

    both, alone = ({online.pk, second.pk}, 900), ({online.pk}, 450)
    assert planned(0, is_well=True) == both
    assert planned(5, is_well=False) == both
    assert planned(20, is_well=False) == alone
    assert planned(26, is_well=True) == both


def test_next_showing_is_told_of_a_screen_that_shows_anything(
    campaign: Campaign, online: Screen
) -> None:
    second = Screen.objects.create(
        campaign=campaign, name="Broadway 2", last_seen_at=timezone.now()
    )
    mae, grace = approved(campaign), approved(campaign)
    slots = planning.ensure(online).slots
    for dark, lit in ((online, second), (second, online)):
        says(dark, is_drawing=False)
        says(lit)
        for one in (mae, grace):
            planned = showings.next_of(one.pk)
            assert planned is not None
            assert planned.screen == lit.name
            starts = [upcoming.moment(s.at_ms) for s in slots[lit.pk] if s.key == str(one.pk)]
            assert planned.at in starts


def test_poll_of_a_screen_that_draws_nothing_makes_no_plan(
    campaign: Campaign, online: Screen, token: str, client: Client
) -> None:
    client.cookies[pairing.COOKIE] = token
    approved(campaign)
    Screen.objects.update(undrawn_at=timezone.now() - timedelta(minutes=1))
    here = {"type": "here", "epoch": None, "seq": 0, "version": "1", "width_px": 8, "height_px": 9}
    for is_planned in (False, True):  # it says that it draws again, and is planned for next time
        client.post("/screen/acks/", here, content_type="application/json")
        assert Plan.objects.exists() is is_planned


def test_only_the_first_of_two_plans_is_taken(campaign: Campaign, online: Screen) -> None:
    approved(campaign)
    before = planning.ensure(online)
    now = timezone.now()
    planning._make(online, before, now)
    planning._make(online, before, now + timedelta(seconds=1))
    row = Plan.objects.get()
    assert (row.rev, row.made_at) == (before.rev + 1, now)


def test_poll_brings_the_plan_and_makes_none(
    campaign: Campaign, online: Screen, token: str, client: Client
) -> None:
    client.cookies[pairing.COOKIE] = token
    mae = approved(campaign)
    assert client.get("/screen/feed.json").json()["plan"] is None
    assert not Plan.objects.exists()
    planning.ensure(online)
    plan = client.get("/screen/feed.json").json()["plan"]
    assert {slot["submission"] for slot in plan["slots"]} == {str(mae.pk)}


def test_outlook_holds_against_the_campaigns_promise(campaign: Campaign, online: Screen) -> None:
    Campaign.objects.update(promise_min=1)
    Screen.objects.update(layout=Layout.HERO)
    screen = Screen.objects.select_related("campaign").get(pk=online.pk)
    for n in range(12):
        approved(campaign, plaque=f"P{n}")
    outlook = planning.ensure(screen).outlook
    assert (outlook.promised_ms, outlook.waiting, outlook.holds) == (60_000, 12, False)
    assert 80_000 < outlook.expected_ms < 110_000


def test_screen_by_its_shape_is_divided_for_as_long_as_the_promise_needs_it(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(campaign)
    assert planning.frame(planning.ensure(online), online).places == 1
    Campaign.objects.update(promise_min=1)
    screen = Screen.objects.select_related("campaign").get(pk=online.pk)
    people = [approved(campaign, plaque=f"P{n}") for n in range(12)]
    made = planning.ensure(screen)
    frame = planning.frame(made, screen)
    assert (frame.places, made.outlook.holds) == (2, True)
    assert {slot.place for slot in frame.slots} == {0, 1}
    for one in people:
        report(screen, one)
    begin = timezone.now()
    for seconds in (90, 120, 150):  # what has begun plays out
        later = begin + timedelta(seconds=seconds)
        monkeypatch.setattr(timezone, "now", lambda at=later: at)
        frame = planning.frame(planning.ensure(screen), screen)
    assert frame.places == 1


def test_every_place_of_a_mosaic_is_planned_and_told(campaign: Campaign, online: Screen) -> None:
    Screen.objects.update(layout=Layout.MOSAIC9)
    screen = Screen.objects.select_related("campaign").get(pk=online.pk)
    people = [approved(campaign, plaque=f"P{n}") for n in range(20)]
    frame = planning.frame(planning.ensure(screen), screen)
    assert {slot.place for slot in frame.slots} == set(range(9))
    assert all(showings.next_of(one.pk) for one in people)


@pytest.mark.parametrize("slot_s", [3, 8, 30])
def test_frame_of_the_densest_mosaic_lasts_until_the_next_is_there(
    campaign: Campaign, online: Screen, slot_s: int
) -> None:
    """Nobody is asked before the plan's time is up, the beat after that, and the making."""
    Campaign.objects.update(slot_s=slot_s)
    Screen.objects.update(layout=Layout.MOSAIC16)
    screen = Screen.objects.select_related("campaign").get(pk=online.pk)
    for n in range(20):
        approved(campaign, plaque=f"P{n}")
    frame = planning.frame(planning.ensure(screen), screen)
    ends = {slot.place: slot.at_ms + slot.duration_ms for slot in frame.slots}
    lasts_until_ms = (frame.at + planning.REMAKE + 3 * planning.REGROUP).timestamp() * 1000
    assert set(ends) == set(range(16))
    assert min(ends.values()) > lasts_until_ms
    assert len(json.dumps(frame.as_json())) < 32_768


def test_layout_saved_in_the_form_is_in_the_plan_at_once(
    campaign: Campaign, online: Screen, admin_client: Client
) -> None:
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    before = planning.ensure(online)
    assert {slot.place for slot in before.slots[online.pk]} == {0}
    words = {"campaign": campaign.pk, "name": online.name, "is_active": "on"}
    form = words | NEW_SCREEN | {"layout": "mosaic4"}
    address = f"/admin/billboard/screen/{online.pk}/change/"
    assert admin_client.post(address, form).status_code == 302
    saved = Screen.objects.select_related("campaign").get(pk=online.pk)
    made = planning.ensure(saved)
    assert {slot.place for slot in made.slots[online.pk]} == {0, 1, 2, 3}


def test_plan_that_was_begun_before_a_change_is_not_taken(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    before, plan = planning.ensure(online), playlist.plan

    def meanwhile(*given: Any, **words: Any) -> Any:
        commands.ask([online], CommandKind.LAYOUT, value="mosaic4")
        return plan(*given, **words)

    with monkeypatch.context() as patch:
        patch.setattr(playlist, "plan", meanwhile)
        planning._make(online, before, timezone.now())
    asked = Screen.objects.select_related("campaign").get(pk=online.pk)
    assert {slot.place for slot in planning.ensure(asked).slots[online.pk]} == {0, 1, 2, 3}


def test_moment_survives_the_way_through_the_row() -> None:
    at = datetime(2026, 11, 26, 14, 32, 5, tzinfo=UTC)
    assert upcoming.moment(planning._ms(at)) == at


def test_first_page_tells_the_crew_whether_the_promise_holds(
    campaign: Campaign, online: Screen, admin_client: Client
) -> None:
    approved(campaign)
    planning.ensure(online)
    [line] = admin_client.get("/admin/").context["promises"]
    told = (line.promised, line.expected, line.slots_an_hour, line.words)
    assert told == ("10 min", "under 1 min", 450, "Holds")
    for n in range(90):
        approved(campaign, plaque=f"P{n}")
    Screen.objects.update(layout=Layout.HERO)
    planning.ensure(Screen.objects.select_related("campaign").get(pk=online.pk))
    page = admin_client.get("/admin/")
    [line] = page.context["promises"]
    assert (line.holds, line.expected, line.waiting) == (False, "13 min", 90)
    assert "add a screen, shorten the slot or use mosaics" in page.content.decode()
    Plan.objects.update(made_at=timezone.now() - timedelta(minutes=5))
    [line] = admin_client.get("/admin/").context["promises"]
    assert line.words == "Does not hold: no screen shows anything"
    assert line.expected == "\N{EN DASH}"  # no time is promised where nobody could be shown


def test_plan_from_before_the_clock_was_set_back_is_made_anew(
    campaign: Campaign, online: Screen
) -> None:
    approved(campaign)
    planning.ensure(online)
    row, hour_ms = Plan.objects.get(), 3_600_000
    slots = {
        key: [[at + hour_ms, end + hour_ms, *rest] for at, end, *rest in some]
        for key, some in row.slots.items()
    }
    Plan.objects.update(made_at=row.made_at + timedelta(hours=1), slots=slots)
    planning._read.clear()
    first = planning.frame(planning.ensure(online), online).slots[0]
    assert first.at_ms <= 1000 * timezone.now().timestamp()
