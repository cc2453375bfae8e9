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


@pytest.fixture
def old(transactional_db: None) -> Iterator[Apps]:
    """The tables of before; at the end they are as they are today."""
    yield migrated(BEFORE)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_plays_of_before_are_tallied_and_their_hours_are_due(old: Apps) -> None:
    campaign = old.get_model("campaign", "Campaign").objects.create(slug="demo", name="Demo")
    screen = old.get_model("billboard", "Screen").objects.create(campaign=campaign, name="B1")
    people = [
        old.get_model("campaign", "Submission").objects.create(
            campaign=campaign,
            number=number,
            token=f"token-{number}",
            idempotency_key=str(number),
            state="approved",
            kit="soldier",
            finish="painted",
            selfie_purge_at=ON,
        )
        for number in range(3)
    ]
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
