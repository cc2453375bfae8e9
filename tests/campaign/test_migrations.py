"""Data that was there before a migration is there after it, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = "0004_squads", "0005_engines"

Apps = Any


@pytest.fixture
def migrated(transactional_db: None) -> Iterator[Callable[[str], Apps]]:
    """The app's tables as a migration leaves them; at the end as they are today."""

    def to(name: str) -> Apps:
        executor = MigrationExecutor(connection)
        executor.migrate([("campaign", name)])
        return MigrationExecutor(connection).loader.project_state([("campaign", name)]).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def submission(apps: Apps, number: int, state: str) -> Any:
    campaigns = apps.get_model("campaign", "Campaign")
    campaign, _ = campaigns.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
    return apps.get_model("campaign", "Submission").objects.create(
        campaign=campaign,
        number=number,
        token=f"token-{number}",
        idempotency_key=str(number),
        state=state,
        kit="soldier",
        finish="painted",
        selfie_purge_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def test_notes_on_who_is_deleted_already_are_forgotten(migrated: Callable[[str], Apps]) -> None:
    old = migrated("0011_installation")
    moves = old.get_model("campaign", "Transition").objects
    for number, state in enumerate(("erased", "expired", "approved")):
        of = submission(old, number, state)
        for kind in ("crew", "system"):
            moves.create(submission=of, from_state="review", actor_kind=kind, note=kind)
    moves = migrated("0012_forget_notes").get_model("campaign", "Transition").objects
    kept = moves.order_by("id").values_list("submission__state", "note")
    assert list(kept) == [
        ("erased", ""),
        ("erased", "system"),
        ("expired", ""),
        ("expired", "system"),
        ("approved", "crew"),
        ("approved", "system"),
    ]


def test_whoever_is_there_keeps_the_days_that_were_promised(
    migrated: Callable[[str], Apps],
) -> None:
    old = migrated("0012_forget_notes")
    mae = submission(old, 1, "approved")
    old.get_model("campaign", "Campaign").objects.update(figurine_retention_days=12)
    new = migrated("0014_promised_days").get_model("campaign", "Submission").objects.get()
    assert new.figurine_purge_at - mae.created_at == timedelta(days=12)


def test_engines_are_named_and_unnamed_with_no_row_lost(
    migrated: Callable[[str], Apps],
) -> None:
    # 1. Jobs of before: their engine stands in the recipe alone, an erased one has none
    old = migrated(BEFORE)
    queued, erased = submission(old, 1, "queued"), submission(old, 2, "erased")
    jobs = old.get_model("campaign", "GenerationJob").objects
    jobs.create(submission=queued, recipe={"engine": "klein"})
    jobs.create(submission=erased, recipe={}, outcome="cancelled")
    new = migrated(AFTER)
    jobs = new.get_model("campaign", "GenerationJob").objects
    assert list(jobs.order_by("id").values_list("engine", "role", "outcome")) == [
        ("klein", "main", ""),
        ("sculpt", "main", "cancelled"),
    ]
    # 2. What the table before has no place for: a second open job, and one under review
    in_review = submission(new, 3, "review")
    queued = new.get_model("campaign", "Submission").objects.get(number=1)
    jobs.create(submission=queued, recipe={"engine": "sculpt"}, engine="sculpt", role="stand_in")
    jobs.create(submission=in_review, recipe={"engine": "klein"}, engine="klein")
    new.get_model("campaign", "Figurine").objects.create(
        submission=in_review, recipe={}, seed=1, engine_version="v" * 80, role="stand_in"
    )
    old = migrated(BEFORE)
    jobs = old.get_model("campaign", "GenerationJob").objects
    assert list(jobs.order_by("id").values_list("submission__number", "outcome")) == [
        (1, ""),
        (2, "cancelled"),
        (1, "cancelled"),
        (3, "cancelled"),
    ]
    figurine = old.get_model("campaign", "Figurine").objects.get()
    assert figurine.engine_version == "v" * 40
    # 3. And there once more
    new = migrated(AFTER)
    jobs = new.get_model("campaign", "GenerationJob").objects
    assert list(jobs.order_by("id").values_list("engine", flat=True)) == [
        *("klein", "sculpt", "sculpt", "klein")
    ]
