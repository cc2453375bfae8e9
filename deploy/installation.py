"""The life of an installation on one machine: start in order, keep up, stop in order."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from deploy import address, kept, programs, zone
from deploy.broker import Broker
from deploy.console import Console
from deploy.exits import ExitCode, StartFailure
from deploy.first_run import FirstRun
from deploy.listening import PARTS, Listening
from deploy.reaper import Reaper
from deploy.summary import show_summary
from deploy.supervisor import Child, Program, Supervisor
from deploy.var_folder import VarFolder

BROKER_PATIENCE_S: Final = 30.0
"""It reads its whole file first."""
WEB_PATIENCE_S: Final = 90.0
DEATHS_BEFORE_GIVING_UP: Final = 3
POLL_S: Final = 0.05
ADDRESS_EVERY_S: Final = 5.0
"""A laptop changes networks without a word."""
DOORBELLS: Final[Mapping[str, Callable[[Broker], str]]] = {
    "DIORAMA_BROKER_URL": lambda broker: broker.celery_url,
    "DIORAMA_CHANNEL_URL": lambda broker: broker.channel_url,
}
KEY: Final = "DIORAMA_FAL_KEY"
KEY_SETTINGS: Final = frozenset({KEY, f"{KEY}_FILE"})


async def serve(var: VarFolder, listening: Listening, *, console: Console) -> None:
    """Starts everything, and returns when it was asked to stop and nothing is left.

    Raises StartFailure after having stopped what had started.
    """
    asked_to_stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    broker = Broker(var) if _own_doorbells(os.environ) else None
    reaper = Reaper(inherit=[var.lock])
    supervisor = Supervisor(console=console, reaper=reaper, log_folder=var.logs)
    starting = asyncio.create_task(_start(var, listening, broker, supervisor, console))
    stopping = asyncio.create_task(asked_to_stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await stopping
    finally:
        started_at = time.monotonic()
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        console.show_children = False
        await supervisor.stop()
        reaper.close()
        if broker:
            broker.close()
        if asked_to_stop.is_set():
            console.say()
            console.step(
                "All stopped. The next start goes on from here.",
                took_s=time.monotonic() - started_at,
            )
            is_elsewhere = _setting("DIORAMA_DATABASE_URL", os.environ)
            if word := kept.ELSEWHERE if is_elsewhere else kept.word(var.path):
                console.warn(word)


def stop_signals() -> list[signal.Signals]:
    """What ends an installation: Ctrl-C, `kill`, and a closed terminal unless under nohup."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _start(
    var: VarFolder,
    listening: Listening,
    broker: Broker | None,
    supervisor: Supervisor,
    console: Console,
) -> None:
    started_at = step_at = time.monotonic()

    def done(text: str) -> None:
        nonlocal step_at
        console.step(text, took_s=time.monotonic() - step_at)
        step_at = time.monotonic()

    environment = _environment(var, listening, broker)
    painters = _painters(environment, var)
    environment = without_cards(without_key(environment))

    # 0. What engines beyond sculpt and a bucket need, before anything runs without it
    if painters or _setting("DIORAMA_S3_BUCKET", environment):
        await _check(var, supervisor, environment)
        done("What was asked for can be used")

    # 1. The doorbells
    if broker:
        valkey = supervisor.start(broker.program(environment=environment))
        await _until(
            broker.answers,
            child=valkey,
            within_s=BROKER_PATIENCE_S,
            failure=StartFailure(
                ExitCode.BROKER_FAILED,
                f"Valkey does not answer; its last words are in {var.logs / 'valkey.log'}.",
            ),
        )
        done("Valkey answers")

    # 2. The tables
    migration = programs.manage("migrate", "--no-input", name="migrate", environment=environment)
    if (await supervisor.run_once(migration)).status:
        raise StartFailure(
            ExitCode.MIGRATION_FAILED,
            f"The database could not be brought up to date; see {var.logs / 'migrate.log'}.",
        )
    done("Database up to date")

    # 3. Something to look at
    demo = await supervisor.run_once(programs.manage("demo", name="demo", environment=environment))
    if demo.status:
        raise StartFailure(
            ExitCode.DEMO_FAILED,
            f"The demo campaign could not be made; see {var.logs / 'demo.log'}.",
        )
    first_run = FirstRun.from_json(demo.output)
    done("Campaign, account and screen ready")

    # 4. Everything else
    web = supervisor.start(programs.web(*listening.options, environment=environment))
    supervisor.start(programs.generation_worker(environment=environment, var=var.path))
    supervisor.start(programs.default_worker(environment=environment))
    supervisor.start(programs.solid_worker(environment=environment))
    supervisor.start(programs.clip_worker(environment=environment))
    for painter in painters:
        supervisor.start(painter)
    supervisor.start(programs.beat(environment=environment))

    async def web_is_up() -> bool:
        return await asyncio.to_thread(listening.is_up)

    # Nor for the bucket: without it nobody's selfie is taken, and everybody can be recalled.
    await _until(
        web_is_up,
        child=web,
        within_s=WEB_PATIENCE_S,
        failure=StartFailure(
            ExitCode.WEB_FAILED,
            f"The web server does not answer; its last words are in {var.logs / 'web.log'}.",
        ),
    )
    done("Web server up, workers starting")
    if painters:
        console.say(f"    Warming up: {', '.join(painter.name for painter in painters)}")

    if not address.lan_addresses():
        console.warn("This machine is in no network: only it can open these pages.")
    show_summary(
        console,
        first_run,
        width=shutil.get_terminal_size().columns,
        took_s=time.monotonic() - started_at,
        zone=_zone(),
        is_self_made=listening.certificate is not None,
    )
    console.show_children = True
    for part, word in (await asyncio.to_thread(listening.lacks)).items():
        console.warn(PARTS[part].format(word))
    await _watch_address(listening, console)


async def _watch_address(listening: Listening, console: Console) -> None:
    """Says each time this machine has another address than the one in its codes. Never returns."""
    said = ""
    while True:
        moved_to = listening.moved_to()
        if moved_to and moved_to != said:
            console.warn(
                f"This machine is at {moved_to} now, and its codes still lead to {listening.host}:"
                " phones find nothing. Ctrl-C, then make run again, prints new ones."
            )
        said = moved_to
        await asyncio.sleep(ADDRESS_EVERY_S)


def _painters(environment: Mapping[str, str], var: VarFolder) -> list[Program]:
    """Workers of the engines beyond sculpt that the operator asked for. Raises StartFailure."""
    found = [
        programs.gpu_worker(index, environment=without_key(environment), var=var.path)
        for index in range(_gpus(environment))
    ]
    if _setting(KEY, environment):
        found.append(programs.hosted_worker(environment=without_cards(environment)))
    return found


def _gpus(environment: Mapping[str, str]) -> int:
    """How many the operator gives to painters. Raises StartFailure."""
    gpus = _setting("DIORAMA_GPU_WORKERS", environment) or "0"
    if not gpus.isdecimal():
        raise StartFailure(
            ExitCode.USAGE, f"DIORAMA_GPU_WORKERS is how many GPUs to use, not {gpus!r}."
        )
    return int(gpus)


def without_cards(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for whoever is no GPU worker: sculpt would take the card that a painter fills.

    Raises StartFailure where sculpt is told to take one all the same.
    """
    if not _gpus(environment):
        return dict(environment)
    variant = environment.get("SCULPT_VARIANT", "")
    if variant.startswith("cuda"):
        raise StartFailure(
            ExitCode.USAGE,
            f"SCULPT_VARIANT={variant} sculpts on a GPU, and DIORAMA_GPU_WORKERS gives them all to"
            " painters: set one of the two.",
        )
    return {**environment, "CUDA_VISIBLE_DEVICES": ""}


def without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for whoever need not know the hosted engine's key, only that somebody has one."""
    others = {name: value for name, value in environment.items() if name not in KEY_SETTINGS}
    return {**others, "DIORAMA_HOSTED": "1"} if _setting(KEY, environment) else others


def _setting(name: str, environment: Mapping[str, str]) -> str:
    """As deploy/settings.py reads it. Raises StartFailure for a file that cannot be read."""
    file = environment.get(f"{name}_FILE")
    try:
        return (Path(file).read_text() if file else environment.get(name, "")).strip()
    except OSError as error:
        raise StartFailure(
            ExitCode.MISCONFIGURED, f"{name}_FILE cannot be read ({error.strerror})."
        ) from None


async def _check(var: VarFolder, supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    """Run the system checks. Raises StartFailure with the errors' own words."""
    log = var.logs / "check.log"
    before = log.stat().st_size if log.exists() else 0
    check = programs.manage("check", "--database", "default", name="check", environment=environment)
    if (await supervisor.run_once(check)).status:
        said = log.read_bytes()[before:].decode(errors="replace")
        errors = re.findall(r"\(\w+\.E\d+\) (.+)", said)
        raise StartFailure(ExitCode.MISCONFIGURED, " ".join([*errors, f"See {log}."]))


def _own_doorbells(environment: Mapping[str, str]) -> list[str]:
    """Those that the operator has elsewhere are not ours to run."""
    return [name for name in DOORBELLS if not _setting(name, environment)]


def _environment(var: VarFolder, listening: Listening, broker: Broker | None) -> dict[str, str]:
    """What the children read. The secret key, where the operator has set none, lies in the
    folder."""
    told = os.environ.get("DIORAMA_ALLOWED_HOSTS", "")
    own = {name: DOORBELLS[name](broker) for name in _own_doorbells(os.environ)} if broker else {}
    return {
        "DIORAMA_DEBUG": "0",
        **os.environ,
        "DIORAMA_ALLOWED_HOSTS": listening.allowed_hosts(told),
        "DIORAMA_VAR": str(var.path),
        **own,
        "DIORAMA_PUBLIC_URL": listening.public_url,
        "DIORAMA_TIME_ZONE": _zone(),
        "PYTHONUNBUFFERED": "1",
    }


def _zone() -> str:
    """That of the desk: the machine's own, unless the operator has set another."""
    return _setting("DIORAMA_TIME_ZONE", os.environ) or zone.own_zone()


async def _until(
    answers: Callable[[], Awaitable[bool]],
    *,
    child: Child,
    within_s: float,
    failure: StartFailure,
) -> None:
    """Waits for the answer; raises the failure when it takes too long or the child keeps dying."""
    give_up_at = time.monotonic() + within_s
    while not await answers():
        if time.monotonic() > give_up_at or child.deaths >= DEATHS_BEFORE_GIVING_UP:
            raise failure
        await asyncio.sleep(POLL_S)
