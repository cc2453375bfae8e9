"""The whole product as `make run` starts it, on a private folder and port, for tests and benches.

A test speaks to it as the world does: http, sockets, a browser, and `kill`.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import CORO_CREATED, getcoroutinestate
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import psutil
import requests

from tests.photos import portrait

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 90
STOP_LIMIT_S = 20

NEW_SCREEN: Final = {
    **{"layout": "auto", "rotation": "0", "drift_px": "0", "words": "[]"},
    **{"panels_across": "1", "panels_down": "1", "bezel_px": "0"},
}

T = TypeVar("T")


def wait_until(
    happens: Callable[[], T | None], *, within_s: float, what: str, every_s: float = 0.05
) -> T:
    """Return the first truthy answer. Raises AssertionError naming what did not happen."""
    deadline = time.monotonic() + within_s
    while not (answer := happens()):
        assert time.monotonic() < deadline, f"{what}: not within {within_s} s"
        time.sleep(every_s)
    return answer


async def begun(*tasks: asyncio.Task[Any]) -> None:
    """Wait until each of them has asked for what it now waits for."""
    while any(getcoroutinestate(cast(Any, task.get_coro())) == CORO_CREATED for task in tasks):
        await asyncio.sleep(0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """One installation. `var` outlives it, so that another can go on from there."""

    var: Path
    port: int = field(default_factory=free_port)
    supervisor: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def phone_url(self) -> str:
        return f"{self.url}/c/demo/"

    @property
    def screen_url(self) -> str:
        return f"{self.url}/screen/#key={(self.var / 'screen.txt').read_text().strip()}"

    @property
    def password(self) -> str:
        return (self.var / "moderator.txt").read_text().split()[1]

    @property
    def output(self) -> str:
        return (self.var.parent / f"{self.var.name}.out").read_text()

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DIORAMA_", "DJANGO_"))}
        with (self.var.parent / f"{self.var.name}.out").open("ab") as out:
            self.supervisor = subprocess.Popen(
                [
                    *(sys.executable, "-m", "deploy.up", "--host", "127.0.0.1"),
                    *("--port", str(self.port), "--var", str(self.var)),
                    *("--public-url", self.url),
                ],
                cwd=ROOT,
                env=kept,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_until(self.is_up, within_s=START_LIMIT_S, what="the stack is up")

    def is_up(self) -> bool:
        assert self.supervisor
        assert self.supervisor.poll() is None, f"the supervisor ended:\n{self.output}"
        try:
            ready = requests.get(f"{self.url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False
        return ready and all("ready." in self.log(name) for name in ("generation", "worker"))

    def log(self, name: str) -> str:
        file = self.var / "log" / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def stop(self) -> None:
        if self.supervisor and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGINT)
            self.supervisor.wait(STOP_LIMIT_S)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Live processes of this stack whose command line holds all these words."""
        assert self.supervisor
        found = []
        for process in psutil.Process(self.supervisor.pid).children(recursive=True):
            try:
                line = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    def freeze(self, *words: str) -> list[psutil.Process]:
        """SIGSTOP them, so that a test can look at what they were in the middle of."""
        frozen = self.processes(*words)
        for process in frozen:
            process.suspend()
        return frozen

    def kill(self, *words: str) -> list[int]:
        """SIGKILL them, and return who they were."""
        victims = self.processes(*words)
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=5)
        return [victim.pid for victim in victims]


class Phone:
    """A visitor's phone, without its browser."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.session = requests.Session()
        self.status_url = ""

    def submit(self, photo: bytes | None = None, **fields: str) -> requests.Response:
        """Send a selfie the way the page does; on success remember where to ask."""
        page = self.session.get(self.stack.phone_url, timeout=10)
        page.raise_for_status()
        agreed = re.search(r'name="consent_sha256" value="(\w+)"', page.text)
        assert agreed
        answer = self.session.post(
            f"{self.stack.phone_url}submit/",
            data={
                "csrfmiddlewaretoken": self.session.cookies["csrftoken"],
                "idempotency_key": str(uuid.uuid4()),
                "consent_sha256": agreed[1],
                **fields,
            },
            files={"photo": ("selfie.jpg", photo or portrait().read_bytes(), "image/jpeg")},
            headers={"Accept": "application/json", "Referer": self.stack.phone_url},
            timeout=60,
        )
        if answer.ok:
            self.status_url = self.stack.url + answer.json()["status_url"]
        return answer

    def another(self, **fields: str) -> requests.Response:
        """Ask for another figurine of the same selfie, as the page does."""
        return self.session.post(
            f"{self.status_url}another/",
            data={
                "csrfmiddlewaretoken": self.session.cookies["csrftoken"],
                "seen_at": self.status()["since"],
                **fields,
            },
            headers={"Accept": "application/json", "Referer": self.status_url},
            timeout=20,
        )

    def status(self) -> dict[str, Any]:
        answer = self.session.get(f"{self.status_url}status.json", timeout=10)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def wait_for(self, *states: str, within_s: float) -> dict[str, Any]:
        """Ask until the submission is in one of these states."""
        return wait_until(
            lambda: said if (said := self.status())["state"] in states else None,
            within_s=within_s,
            what=f"submission reaches {' or '.join(states)}",
        )


class Crew:
    """A moderator, without their browser."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.session = requests.Session()
        login = f"{stack.url}/admin/login/?next=/livez"
        self.session.get(login, timeout=10).raise_for_status()
        self._post(login, username="moderator", password=stack.password).raise_for_status()
        assert "sessionid" in self.session.cookies, "the moderator could not sign in"

    def _post(self, url: str, **fields: str) -> requests.Response:
        return self.session.post(
            url,
            data={"csrfmiddlewaretoken": self.session.cookies["csrftoken"], **fields},
            headers={"Referer": url, "Accept": "application/json"},
            timeout=20,
        )

    def waiting(self) -> list[dict[str, Any]]:
        """Cards of the review queue, as the desk reads them."""
        answer = self.session.get(
            f"{self.stack.url}/admin/campaign/submission/review/queue/", timeout=10
        )
        answer.raise_for_status()
        cards: list[dict[str, Any]] = answer.json()["cards"]
        return cards

    def decide(self, card: dict[str, Any], verdict: str, *, reason: str = "") -> dict[str, Any]:
        """Send one decision the way the desk does; returns the card as it is then."""
        answer = self._post(
            f"{self.stack.url}/admin/campaign/submission/review/{card['id']}/decide/",
            verdict=verdict,
            reason=reason,
            seen_at=card["since"],
        )
        assert answer.ok, f"{verdict}: {answer.status_code} {answer.text[:200]}"
        return {**card, **answer.json()}

    def set_up_screen(self, **fields: str) -> None:
        """Change fields of the demo's screen by the admin's form; the rest is as it was new."""
        listed = self.session.get(f"{self.stack.url}/admin/billboard/screen/", timeout=10)
        (path,) = set(re.findall(r"/admin/billboard/screen/[0-9]+/change/", listed.text))
        form = self.session.get(f"{self.stack.url}{path}", timeout=10).text
        campaign = re.search(r'<option value="([0-9]+)" selected>', form)
        name = re.search(r'name="name" value="([^"]*)"', form)
        assert campaign, "the form of the screen has no campaign"
        assert name, "the form of the screen has no name"
        words = {"campaign": campaign[1], "name": name[1], "is_active": "on"} | NEW_SCREEN | fields
        answer = self._post(f"{self.stack.url}{path}", **words)
        assert answer.ok, f"the screen was not set up: {answer.status_code}"
        assert "errorlist" not in answer.text, "the screen was not set up"
