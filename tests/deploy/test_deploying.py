"""docs/deploying.md says what runs here."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from deploy import programs
from deploy.supervisor import Program

GUIDE = (programs.ROOT / "docs" / "deploying.md").read_text()


def by_hand(program: Program) -> str:
    """The command as a person types it."""
    command = " ".join(["python", *program.command[1:]])
    return (
        f"python -m deploy.pulse --name {program.name} -- {command}" if program.watch else command
    )


def test_guide_has_the_command_of_every_process() -> None:
    told = GUIDE.replace(" \\\n  ", " ").splitlines()
    var = Path("var")
    for program in (
        programs.web("-b", "0.0.0.0", "-p", "8000", environment={}),
        programs.generation_worker(environment={}, var=var),
        programs.solid_worker(environment={}),
        programs.clip_worker(environment={}),
        programs.default_worker(environment={}),
        programs.hosted_worker(environment={}),
        programs.beat(environment={}),
    ):
        assert by_hand(program) in told, program.name


def test_proxy_of_the_guide_lets_a_photo_through() -> None:
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", GUIDE)
    assert int(megabytes) * 1_000_000 > settings.UPLOAD_BODY_MAX_BYTES
