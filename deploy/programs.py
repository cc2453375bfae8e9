"""The processes of one installation on one machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy import pulse
from deploy.pulse import Watch
from deploy.supervisor import Program

ROOT: Final = Path(__file__).parent.parent

SOLID_NICENESS, CLIP_NICENESS = 5, 15
"""Of 19. A figurine made beside them gets three and thirty times their share of a core.
Source: Linux, sched(7): each step is a factor of about 1.25."""


HOSTED_THREADS: Final = 4
"""Orders under way at once, but beside what was in a lost worker's hand (campaign/turns.py)."""
GPU_THREADS: Final = 2
"""Claims in hand at once, but beside what is tried again (campaign/turns.py): one is painted while
the other is posed, compared and stored. A third would have a batch of its own that is smaller,
since who waits is shared out among more."""


def manage(command: str, *arguments: str, name: str, environment: Mapping[str, str]) -> Program:
    """A management command that runs once."""
    return _python(name, "manage.py", command, *arguments, environment=environment)


def web(*listen: str, environment: Mapping[str, str]) -> Program:
    """HTTP and WebSockets. No access log: it would write down capability addresses."""
    return _python(
        "web",
        "-m",
        "deploy.web",
        "-v",
        "0",
        *listen,
        "deploy.asgi:application",
        environment=environment,
    )


def generation_worker(*, environment: Mapping[str, str], var: Path) -> Program:
    """One process, one figurine at a time: `solo`, because a fork breaks CUDA. Watched, too."""
    worker = _worker(
        "generation", "-Q", "generation", "-c", "1", "-P", "solo", environment=environment
    )
    return replace(worker, watch=Watch(file=pulse.file_of("generation", var=var)))


def solid_worker(*, environment: Mapping[str, str]) -> Program:
    """3D models and print files, beside the figurines and not between them."""
    return _worker(
        *("solids", "-Q", "solids", "-c", "1", "-P", "solo"),
        environment=environment,
        niceness=SOLID_NICENESS,
    )


def clip_worker(*, environment: Mapping[str, str]) -> Program:
    """Clips, one at a time, in whatever time the others leave."""
    return _worker(
        *("clips", "-Q", "clips", "-c", "1", "-P", "solo"),
        environment=environment,
        niceness=CLIP_NICENESS,
    )


def default_worker(*, environment: Mapping[str, str]) -> Program:
    """Everything that is not generation."""
    return _worker("worker", "-Q", "default", "-c", "2", environment=environment)


def gpu_worker(device_index: int, *, environment: Mapping[str, str], var: Path) -> Program:
    """One process a GPU, its model resident; watched from outside, since a driver's call may hang.
    Threads: a fork breaks CUDA, and a second process would need a second model on the card.

    device_index: which of the GPUs that the installation may use, from 0.
    """
    name = f"worker-gpu-{device_index}"
    allowed = environment.get("CUDA_VISIBLE_DEVICES", "")
    cards = [card.strip() for card in allowed.split(",") if card.strip()]
    # By the operator's list where there is one; a card that it lacks is none, and torch says so.
    card = dict(enumerate(cards)).get(device_index, "-1") if cards else str(device_index)
    worker = _worker(
        *(name, "-Q", "gpu", "-c", str(GPU_THREADS), "-P", "threads"),
        environment={**environment, "CUDA_VISIBLE_DEVICES": card},
    )
    return replace(worker, watch=Watch(file=pulse.file_of(name, var=var)))


def hosted_worker(*, environment: Mapping[str, str]) -> Program:
    """Waits for figurines made elsewhere: threads, since they compute nothing."""
    return _worker(
        *("worker-hosted", "-Q", "hosted", "-c", str(HOSTED_THREADS), "-P", "threads"),
        environment=environment,
    )


def beat(*, environment: Mapping[str, str]) -> Program:
    """The clock of the sweeps."""
    return _python("beat", *CELERY, "beat", "--loglevel=INFO", environment=environment)


CELERY: Final = ("-m", "celery", "--quiet", "-A", "deploy.celery")


def _worker(
    name: str, *arguments: str, environment: Mapping[str, str], niceness: int = 0
) -> Program:
    # Gossip and mingle are for many workers that know each other; mingle waits a second.
    return _python(
        name,
        *CELERY,
        "worker",
        "--loglevel=INFO",
        "--without-gossip",
        "--without-mingle",
        "--hostname",
        f"{name}@%h",
        *arguments,
        environment=environment,
        niceness=niceness,
    )


def _python(
    name: str, *arguments: str, environment: Mapping[str, str], niceness: int = 0
) -> Program:
    return Program(
        name=name,
        command=(sys.executable, *arguments),
        environment=environment,
        folder=ROOT,
        niceness=niceness,
    )
