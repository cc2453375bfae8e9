"""What dies in a square at night, and what the visitor must not notice."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.supervisor import LAST_BACKOFF_S
from tests.browser import chromium
from tests.stack import Crew, Phone, Stack, wait_until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))
"""`make chaos` plays many."""
NEW_WORKER_S = 60
"""The lease of a job is far shorter; a loaded machine starts a worker and casts in its own time."""
AFTER_VALKEY_S = 5
VALKEY_AWAY_S = 3
VALKEY = "valkey-server"
GENERATION = ("celery", "generation@")
JOBS = (
    "FROM campaign_generationjob j JOIN campaign_submission s ON s.id = j.submission_id"
    " WHERE s.plaque = ?"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("chaos") / "var") as stack:
        yield stack


def rows(stack: Stack, query: str, *words: str) -> list[tuple[object, ...]]:
    """Read the stack's own record, from outside."""
    with sqlite3.connect(f"file:{stack.var}/diorama.sqlite3?mode=ro", uri=True) as database:
        return database.execute(query, words).fetchall()


def jobs(stack: Stack, plaque: str) -> list[tuple[object, ...]]:
    """Attempt and outcome of every job for this name."""
    return rows(stack, f"SELECT j.attempt, j.outcome {JOBS} ORDER BY j.id", plaque)


def kill_worker_at(stack: Stack, name: str, *, jobs_so_far: int) -> None:
    """Kill the worker in the middle of this name's newest job, and see another one start."""
    wait_until(
        lambda: rows(stack, f"SELECT 1 {JOBS} AND j.percent > 0 AND j.outcome = ''", name),
        within_s=60,
        every_s=0.01,
        what="the job is being worked on",
    )
    # Stopped first and looked at: a kill after the figurine was stored would prove nothing.
    stack.freeze(*GENERATION)
    assert jobs(stack, name)[jobs_so_far:] == [(1, "")], "the worker was done before it was stopped"
    killed = stack.kill(*GENERATION)
    assert killed
    wait_until(
        lambda: {p.pid for p in stack.processes(*GENERATION)} - set(killed),
        # Killed round after round, it is started later each time.
        within_s=LAST_BACKOFF_S + 10,
        what="a new worker is there",
    )


def figurines(stack: Stack, plaque: str) -> list[tuple[object, ...]]:
    """Whether it is chosen and has a picture, of every figurine for this name."""
    return rows(
        stack,
        "SELECT f.is_chosen, f.still <> '' FROM campaign_figurine f"
        " JOIN campaign_submission s ON s.id = f.submission_id WHERE s.plaque = ? ORDER BY f.id",
        plaque,
    )


@pytest.mark.parametrize("name", [f"PHOENIX {n}" for n in range(ROUNDS)])
def test_generation_worker_killed_in_mid_job_finishes_the_job_once(stack: Stack, name: str) -> None:
    phone = Phone(stack)
    assert phone.submit(plaque=name).status_code == 201
    kill_worker_at(stack, name, jobs_so_far=0)
    phone.wait_for("review", within_s=NEW_WORKER_S)
    assert (figurines(stack, name), jobs(stack, name)) == ([(1, 1)], [(2, "done")])


@pytest.mark.parametrize("name", [f"TWICE {n}" for n in range(ROUNDS)])
def test_worker_killed_in_mid_reroll_keeps_the_figurine_until_the_next(
    stack: Stack, name: str
) -> None:
    phone = Phone(stack)
    assert phone.submit(plaque=name).status_code == 201
    phone.wait_for("review", within_s=60)
    assert phone.another(finish="army-green").status_code == 201
    kill_worker_at(stack, name, jobs_so_far=1)
    assert figurines(stack, name)[0] == (1, 1)
    phone.wait_for("review", within_s=NEW_WORKER_S)
    assert figurines(stack, name) == [(0, 0), (1, 1)]
    assert jobs(stack, name) == [(1, "done"), (2, "done")]


@pytest.mark.parametrize("name", [f"LAZARUS {n}" for n in range(ROUNDS)])
def test_valkey_killed_around_an_approval_costs_seconds_not_the_picture(
    stack: Stack, name: str
) -> None:
    phone, crew = Phone(stack), Crew(stack)
    phone.submit(plaque=name)
    phone.wait_for("review", within_s=60)
    card = next(card for card in crew.waiting() if card["plaque"] == name)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 960, "height": 540})
        page.goto(stack.screen_url)
        page.wait_for_selector('html[data-socket="open"]', timeout=15_000)
        # Kept dead for a while: the supervisor brings it back within a second otherwise.
        until = time.monotonic() + VALKEY_AWAY_S
        stack.kill(VALKEY)
        card = crew.decide(card, "approve")
        while time.monotonic() < until:
            stack.kill(VALKEY)
        page.wait_for_selector(f'html[data-hero="{card["id"]}"]', timeout=1000 * AFTER_VALKEY_S)
    # The next round must not wait for this one's turn on the screen.
    crew.decide(card, "recall", reason="technical")


def test_supervisor_killed_and_started_again_loses_nothing(tmp_path: Path) -> None:
    first = Stack(tmp_path / "var")
    first.start()
    phone = Phone(first)
    phone.submit(plaque="SLEEPER")
    assert first.supervisor
    children = first.processes()
    first.supervisor.kill()
    wait_until(
        lambda: not any(child.is_running() for child in children),
        within_s=10,
        what="no child outlives its supervisor",
    )
    with Stack(tmp_path / "var", port=first.port):
        assert phone.wait_for("review", within_s=60)["plaque"] == "SLEEPER"
