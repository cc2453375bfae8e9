from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billboard import feed, plays, proof
from billboard.models import Play, Screen, Wall
from billboard.models.hours import PlayHour, StaleHour
from billboard.protocol import Acks, Done, Shown
from campaign import lifecycle, retention
from campaign.models import Campaign, Submission
from campaign.signals import tidying
from tests.billboard.booked import book
from tests.billboard.rows import approved, recall

BEGIN = datetime(2026, 10, 24, 22, 40, tzinfo=UTC)
"""Before the night in which clocks in Berlin are put back."""
GO = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("play"),
            st.integers(0, 1),  # screen
            st.integers(0, 2),  # submission
            st.integers(0, 4 * 60),  # minutes after BEGIN
            st.sampled_from(["hero", "mosaic4"]),
            st.sampled_from([None, 1, 7999, 8000]),
        ),
        st.tuples(st.just("end"), st.integers(0, 40), st.sampled_from([3000, 9000])),
        st.tuples(st.just("again"), st.integers(0, 40)),
        st.tuples(st.just("roll up")),
    ),
    min_size=10,
    max_size=40,
)


def play(screen: Screen, of: Submission, at: datetime, **words: Any) -> Shown:
    assert of.figurine
    ack = replace(Shown(uuid4(), of.pk, of.figurine.pk, 1, at, 8000, "hero"), **words)
    plays.record(screen, Acks(1, (ack,)))
    return ack


def figures(rows: Iterator[list[PlayHour]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {
        (row.hour_at, row.screen_id, row.campaign_id, row.layout): (
            row.plays,
            row.unended,
            row.shown_ms,
            row.people,
            row.first_at,
            row.last_at,
        )
        for rows_of_day in rows
        for row in rows_of_day
    }


def by_hand(
    told: dict[UUID, tuple[int, int, Shown]], zone: ZoneInfo
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Every play looked at for every group there could be."""

    def group(screen: int, campaign: int, ack: Shown) -> tuple[Any, ...]:
        local = ack.started_at.astimezone(zone)
        full = local.replace(minute=0, second=0, microsecond=0)
        return full.astimezone(UTC), screen, campaign, ack.layout

    found = {}
    for key in {group(*one) for one in told.values()}:
        acks = [
            ack for screen, campaign, ack in told.values() if group(screen, campaign, ack) == key
        ]
        found[key] = (
            len(acks),
            sum(1 for ack in acks if ack.duration_ms is None),
            sum(ack.duration_ms or 0 for ack in acks),
            len({ack.submission for ack in acks}),
            min(ack.started_at for ack in acks),
            max(ack.started_at for ack in acks),
        )
    return found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
def test_hours_are_what_a_count_by_hand_says_at_every_moment(zone: str, campaign: Campaign) -> None:
    screens = [Screen.objects.create(campaign=campaign, name=f"Broadway {n}") for n in (1, 2)]
    people = [approved(campaign), approved(campaign), approved(campaign)]

    @GO
    @given(moves)
    def lived(moves: list[tuple[Any, ...]]) -> None:
        for model in (Play, PlayHour, StaleHour):
            model.objects.all().delete()
        told: dict[UUID, tuple[int, int, Shown]] = {}
        for move, *said in moves:
            if move == "play":
                on, who, minutes, layout, duration_ms = said
                at = BEGIN + timedelta(minutes=minutes)
                words = {"layout": layout, "duration_ms": duration_ms}
                ack = play(screens[on], people[who], at, **words)
                told[ack.play_id] = (screens[on].pk, campaign.pk, ack)
            elif move == "roll up":
                proof.roll_up()
            elif told:
                screen, of, ack = list(told.values())[said[0] % len(told)]
                if move == "end" and ack.duration_ms is None:
                    ack = replace(ack, duration_ms=said[1])
                    told[ack.play_id] = (screen, of, ack)
                plays.record(Screen.objects.get(pk=screen), Acks(1, (ack,)))
            assert figures(proof.hours()) == by_hand(told, ZoneInfo(zone))
        proof.roll_up()
        assert not StaleHour.objects.exists()
        assert figures(iter([list(PlayHour.objects.all())])) == by_hand(told, ZoneInfo(zone))

    with timezone.override(zone):
        lived()


def test_counting_again_changes_nothing(campaign: Campaign, screen: Screen) -> None:
    play(screen, approved(campaign), BEGIN)
    assert proof.roll_up() == 1
    before = figures(proof.hours())
    assert proof.roll_up() == 0
    proof.begin_anew()
    assert proof.roll_up() == 1
    assert (figures(proof.hours()), PlayHour.objects.count()) == (before, 1)


def test_hours_of_before_are_marked_while_the_plays_of_others_are_read(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, no more than so many are held."""
    monkeypatch.setattr(proof, "MARKS_AT_ONCE", 2)
    second, mae = Screen.objects.create(campaign=campaign, name="Broadway 2"), approved(campaign)
    hours = {(one.pk, n): one for one in (screen, second) for n in range(3)}
    for (_, n), one in hours.items():
        play(one, mae, BEGIN + timedelta(hours=n))
    with CaptureQueriesContext(connection) as queries:
        proof.begin_anew()
    # PostgreSQL reads by a cursor that it declares.
    said = r'(?:DECLARE .*? FOR )?(INSERT INTO|SELECT) .*?"billboard_(\w+)"'
    found = (re.match(said, query["sql"]) for query in queries)
    told = [(one[1], one[2]) for one in found if one and one[2] in ("stalehour", "play")]
    reads, marks = ("SELECT", "play"), ("INSERT INTO", "stalehour")
    assert told == [reads, marks, reads, marks, marks]
    assert StaleHour.objects.count() == len(hours)


def test_what_comes_late_changes_its_own_hour_alone(campaign: Campaign, screen: Screen) -> None:
    mae = approved(campaign)
    today = play(screen, mae, BEGIN + timedelta(days=1))
    proof.roll_up()
    kept = PlayHour.objects.get()
    play(screen, mae, BEGIN)
    assert [row.hour_at for day in proof.hours() for row in day] == [
        proof.hour_of(BEGIN),
        proof.hour_of(today.started_at),
    ]
    assert proof.roll_up() == 1
    assert PlayHour.objects.filter(pk=kept.pk).exists()


def test_told_again_is_not_counted_again(campaign: Campaign, screen: Screen) -> None:
    ack = play(screen, approved(campaign), BEGIN)
    proof.roll_up()
    plays.record(screen, Acks(2, (ack,)))
    assert not StaleHour.objects.exists()


def test_going_dark_ends_a_play_in_its_hour(campaign: Campaign, screen: Screen) -> None:
    mae = approved(campaign)
    play(screen, mae, timezone.now() - timedelta(seconds=2), duration_ms=None)
    proof.roll_up()
    assert PlayHour.objects.get().unended == 1
    recall(mae)
    plays.record(screen, Acks(2, (Done(True, mae.pk, feed.head(campaign.pk)),)))
    proof.roll_up()
    row = PlayHour.objects.get()
    assert (row.plays, row.unended) == (1, 0)
    assert 2000 <= row.shown_ms < 6000


def test_proof_outlives_the_face(campaign: Campaign, screen: Screen) -> None:
    mae = approved(campaign, plaque="MAE")
    play(screen, mae, BEGIN)
    before = figures(proof.hours())
    retention.erase(mae, actor=lifecycle.PARTICIPANT)
    proof.begin_anew()
    proof.roll_up()
    assert figures(proof.hours()) == before
    kept = Play.objects.get().submission
    assert (kept.plaque, kept.face, kept.figurines.get().cutout.name) == ("", None, "")


def test_hours_are_of_one_campaign_and_of_these_days(
    campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    rival = Screen.objects.create(campaign=other_campaign, name="Rival 1")
    play(rival, approved(other_campaign), BEGIN)
    mae = approved(campaign)
    for hours in (-1, 0, 1, 2):
        play(screen, mae, BEGIN + timedelta(hours=hours))
    hour = proof.hour_of(BEGIN)
    found = proof.hours(since=hour, until=hour + 2 * proof.HOUR, campaign="demo")
    assert [(row.hour_at, row.screen_id) for day in found for row in day] == [
        (hour, screen.pk),
        (hour + proof.HOUR, screen.pk),
    ]


def test_hour_that_a_clock_goes_through_twice_is_two() -> None:
    with timezone.override("Europe/Berlin"):
        first = proof.hour_of(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        second = proof.hour_of(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
        told = [timezone.localtime(at).isoformat() for at in (first, second)]
    assert told == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


def test_hours_are_counted_when_the_product_tidies_up(campaign: Campaign, screen: Screen) -> None:
    play(screen, approved(campaign), BEGIN)
    tidying.send_robust(sender=None)
    assert (PlayHour.objects.count(), StaleHour.objects.count()) == (1, 0)


def test_counting_stops_when_its_time_is_up_and_goes_on_later(
    campaign: Campaign, screen: Screen
) -> None:
    mae = approved(campaign)
    for hours in range(3):
        play(screen, mae, BEGIN + timedelta(hours=hours))
    assert proof.roll_up(within_s=-1) == 0
    assert (proof.roll_up(), PlayHour.objects.count()) == (3, 3)


def test_bookings_are_read_once_for_many_hours(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "HOURS_AT_ONCE", 3)
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    Screen.objects.update(wall=wall)
    mae = approved(campaign)
    for n in range(2):
        book(mae, screen, since_at=BEGIN + timedelta(hours=n), name=f"Sponsor {n}")
    for hours in range(5):
        play(screen, mae, BEGIN + timedelta(hours=hours))
    with CaptureQueriesContext(connection) as queries:
        assert proof.roll_up() == 5
    read = [query for query in queries if 'FROM "billboard_booking" ' in query["sql"]]
    walls = [query for query in queries if '"billboard_screen"."wall_id"' in query["sql"]]
    assert (len(read), len(walls)) == (2, 4)  # of the wall: those that are booked, and all
    assert [row.booking is not None for row in PlayHour.objects.all()] == [True] * 5


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_booking_marks_the_hours_of_its_own_person_alone(
    campaign: Campaign, screen: Screen, zone: str
) -> None:
    second, mae, grace = (
        Screen.objects.create(campaign=campaign, name="Broadway 2"),
        *(approved(campaign) for _ in range(2)),
    )
    with timezone.override(zone):
        for hours, on, who in ((0, screen, mae), (2, second, mae), (4, screen, grace)):
            play(on, who, BEGIN + timedelta(hours=hours))
        proof.roll_up()
        book(mae, since_at=BEGIN + timedelta(hours=1))
        proof.roll_up()
        found = {
            (row.screen_id, row.hour_at): row.booking is not None for row in PlayHour.objects.all()
        }
        hour = proof.hour_of(BEGIN)
        assert found == {
            (screen.pk, hour): False,
            (second.pk, hour + 2 * proof.HOUR): True,
            (screen.pk, hour + 4 * proof.HOUR): False,
        }
        book(grace, since_at=BEGIN + timedelta(hours=1), until_at=BEGIN + timedelta(hours=2))
        marked = set(StaleHour.objects.values_list("screen_id", "hour_at"))
        played_at = hour + 4 * proof.HOUR
        assert (screen.pk, played_at) in marked
        assert marked <= {(screen.pk, played_at + n * proof.HOUR) for n in (-1, 0, 1)}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_plays_of_before_are_counted_too(campaign: Campaign, screen: Screen, zone: str) -> None:
    mae = approved(campaign)
    for minutes in (0, 25, 55, 100):
        play(screen, mae, BEGIN + timedelta(minutes=minutes))
    with timezone.override(zone):
        proof.begin_anew()
        proof.roll_up()
        whole = figures(proof.hours())
        PlayHour.objects.all().delete()
        import_module("billboard.migrations.0008_old_plays").mark(apps, None)
        proof.roll_up()
        assert figures(proof.hours()) == whole
    assert sum(plays for plays, *_ in whole.values()) == 4
