"""A worker of the queue `gpu` under its watchdog, as a container runs it: real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from campaign import workers
from campaign.models import Campaign
from deploy import programs, pulse
from deploy.celery import UNFIT_STATUS
from tests.deploy.conftest import ROOT, is_alive, wait_for
from tests.environment import VALKEY_SOCKET

NAME = "worker-gpu-0"
START_S = 40.0

Run = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start the watchdog with a worker of this application, on the tests' own database."""
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {
        "DIORAMA_VAR": str(tmp_path),
        "DIORAMA_DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "DIORAMA_BROKER_URL": f"redis+socket://{VALKEY_SOCKET}?virtual_host=7",
        "HANG_ONCE": str(tmp_path / "hung"),
    }

    ours = programs.gpu_worker(0, environment={}, var=tmp_path).command
    pool = ours[ours.index("-Q") :]

    def run(application: str) -> subprocess.Popen[str]:
        worker = [
            *(sys.executable, "-m", "celery", "--quiet", "-A", application, "worker"),
            *("--without-gossip", "--without-mingle", "--hostname", f"{NAME}@box"),
            *pool,
        ]
        patience = ("--silence-s", "2.5", "--every-s", "0.1")
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "deploy.pulse", "--name", NAME, *patience, "--", *worker],
                cwd=ROOT,
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield run
    for one in started:
        one.kill()
        one.communicate()


def test_worker_without_weights_says_the_command_and_ends(run: Run, tmp_path: Path) -> None:
    one = run("deploy.celery")
    _, said = one.communicate(timeout=START_S)
    assert one.returncode == UNFIT_STATUS
    assert "python manage.py weights fetch" in said
    assert workers.snapshot() == [], "it took its row away"
    assert pulse.main(["--ready", "--var", str(tmp_path)]) == 1


def test_worker_without_a_campaign_s_model_says_the_command_and_ends(run: Run) -> None:
    """Its engine would be ready: what is missing is known before a visitor asks for it."""
    Campaign.objects.create(
        slug="fine", name="Fine", engine="klein", engine_options={"model": "qwen"}
    )
    one = run("tests.deploy.gpu_app")
    _, said = one.communicate(timeout=START_S)
    assert one.returncode == UNFIT_STATUS
    assert re.search(r"`python manage\.py weights \w+ qwen-image-edit-2509`", said)


def test_worker_that_hangs_is_started_anew_and_only_then_ready(
    run: Run, tmp_path: Path, client: Client
) -> None:
    one = run("tests.deploy.gpu_app")

    # 1. It hangs while it warms up, for which the queue has no use
    wait_for((tmp_path / "hung").exists, within_s=START_S)
    wait_for(workers.snapshot)
    (first,) = workers.snapshot()
    assert (first.node, first.engine, first.state) == (f"{NAME}@box", "klein", "starting")
    assert "klein" not in workers.alive()
    assert client.get("/readyz").json()["engines"] == {"sculpt": "ok", "klein": "starting"}
    assert pulse.main(["--ready", "--var", str(tmp_path)]) == 1

    # 2. The watchdog ends it, and the next one comes to be ready
    wait_for(lambda: "klein" in workers.alive(), within_s=START_S)
    (second,) = workers.snapshot()
    assert (second.node, second.state) == (f"{NAME}@box", "ready")
    assert second.pid != first.pid
    assert not is_alive(first.pid)
    assert client.get("/readyz").json()["engines"] == {"sculpt": "ok", "klein": "ok"}
    wait_for(lambda: pulse.main(["--ready", "--var", str(tmp_path)]) == 0)

    # 3. Asked to stop it leaves no word behind
    one.send_signal(signal.SIGTERM)
    _, said = one.communicate(timeout=10)
    assert one.returncode == 0
    # A loaded machine may have had no turn for the beat that tells of the work.
    assert re.search(r"pulse: no beat for \d+ s( in warming up klein)?; killing", said)
    assert workers.snapshot() == []
