"""Plays that were there before they were counted are counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = [("billboard", "0003_layouts"), ("campaign", "0009_playlist")]
AFTER = [("billboard", "0008_old_plays"), ("campaign", "0009_playlist")]
ON = datetime(2026, 11, 20, 12, 40, tzinfo=UTC)

Apps = Any


def migrated(to: list[tuple[str, str]]) -> Apps:
    MigrationExecutor(connection).migrate(to)
    return MigrationExecutor(connection).loader.project_state(to).apps


@pytest.fixture(autouse=True)
def at_the_end_tables_are_as_today(transactional_db: None) -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def person(apps: Apps, campaign: Any, number: int, **words: Any) -> Any:
    return apps.get_model("campaign", "Submission").objects.create(
        campaign=campaign,
        number=number,
        token=f"token-{number}",
        idempotency_key=str(number),
        state="approved",
        kit="soldier",
        finish="painted",
        selfie_purge_at=ON,
        **words,
    )


def test_plays_of_before_are_tallied_and_their_hours_are_due() -> None:
    old = migrated(BEFORE)
    campaign = old.get_model("campaign", "Campaign").objects.create(slug="demo", name="Demo")
    screen = old.get_model("billboard", "Screen").objects.create(campaign=campaign, name="B1")
    people = [person(old, campaign, number) for number in range(3)]
    figurines = [
        old.get_model("campaign", "Figurine").objects.create(
            submission=each, recipe={}, seed=1, engine_version="v"
        )
        for each in people
    ]
    for who, minutes in ((0, 0), (0, 5), (1, 50)):
        old.get_model("billboard", "Play").objects.create(
            play_id=uuid4(),
            screen=screen,
            submission=people[who],
            figurine=figurines[who],
            seq=1,
            started_at=ON + timedelta(minutes=minutes),
        )
    new = migrated(AFTER)
    tallies = new.get_model("billboard", "Tally").objects.order_by("submission__number")
    assert list(tallies.values_list("submission__number", "times", "last_at")) == [
        (0, 2, ON + timedelta(minutes=5)),
        (1, 1, ON + timedelta(minutes=50)),
    ]
    due = new.get_model("billboard", "StaleHour").objects.values_list("hour_at", flat=True)
    assert {ON.replace(minute=0), ON.replace(hour=13, minute=0)} <= set(due)


def test_who_went_up_once_more_has_no_showings_yet() -> None:
    old = migrated([("billboard", "0016_stints"), ("campaign", "0012_forget_notes")])
    campaign = old.get_model("campaign", "Campaign").objects.create(slug="demo", name="Demo")
    up, again = (person(old, campaign, number, state_since_at=ON) for number in range(2))
    for who, minutes in ((up, 1), (again, -1)):
        last_at = ON + timedelta(minutes=minutes)
        old.get_model("billboard", "Tally").objects.create(submission=who, times=3, last_at=last_at)
    new = migrated([("billboard", "0017_tallies_anew"), ("campaign", "0012_forget_notes")])
    assert [each.pk for each in new.get_model("billboard", "Tally").objects.all()] == [up.pk]
