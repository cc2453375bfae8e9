"""deploy/screen: the browser of a screen, as its machine starts it."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from deploy.screen.watch import is_ours
from tests.browser import playwrights
from tests.deploy.conftest import ROOT, wait_for

HERE = ROOT / "deploy" / "screen"
KIOSK = HERE / "kiosk"
SILENT_S = 20
"""Instead of three minutes; a slow machine must have started its browser by then."""


def kiosk(
    *arguments: str, folder: Path, seconds: float = 20, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(KIOSK), *arguments],
        env=os.environ | {"DIORAMA_PROFILE": str(folder / "profile")} | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that says how it was called."""
    told = tmp_path / "browser"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    return told


def test_browser_shows_the_screen_and_nothing_else(tmp_path: Path, browser: Path) -> None:
    done = kiosk("https://diorama.example/", folder=tmp_path, DIORAMA_BROWSER=str(browser))
    *flags, address = done.stdout.splitlines()
    assert (done.returncode, address) == (0, "https://diorama.example/screen/")
    assert {"--kiosk", "--noerrdialogs", f"--user-data-dir={tmp_path / 'profile'}"} <= set(flags)
    assert all(flag.startswith("--") for flag in flags)


@pytest.mark.parametrize("address", ["", "diorama.example", "http://diorama.example", "ftp://x"])
def test_address_that_a_page_cannot_be_held_from_is_refused(
    tmp_path: Path, browser: Path, address: str
) -> None:
    done = kiosk(address, folder=tmp_path, DIORAMA_BROWSER=str(browser), DIORAMA_ADDRESS=address)
    assert (done.returncode, done.stdout) == (64, "")
    assert "https://diorama.example" in done.stderr


def test_machine_without_a_browser_says_so(tmp_path: Path) -> None:
    done = kiosk("https://diorama.example", folder=tmp_path, DIORAMA_BROWSER="no-such-browser")
    assert (done.returncode, done.stderr) == (69, "kiosk: there is no Chromium here\n")


def test_power_cut_leaves_no_question_and_no_lock(tmp_path: Path, browser: Path) -> None:
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    preferences = profile / "Default" / "Preferences"
    preferences.write_text('{"profile":{"exited_cleanly":false,"exit_type":"Crashed","x":1}}')
    (profile / "SingletonLock").symlink_to("box-4711")
    kiosk("https://diorama.example", folder=tmp_path, DIORAMA_BROWSER=str(browser))
    assert preferences.read_text() == (
        '{"profile":{"exited_cleanly":true,"exit_type":"Normal","x":1}}'
    )
    assert not (profile / "SingletonLock").is_symlink()


def test_disk_that_takes_nothing_does_not_keep_the_browser_from_its_start(
    tmp_path: Path, browser: Path
) -> None:
    preferences = tmp_path / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text("{}")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sed", "rm"):
        (tools / tool).write_text("#!/bin/sh\nexit 4\n")
        (tools / tool).chmod(0o755)
    done = kiosk(
        "https://diorama.example",
        folder=tmp_path,
        DIORAMA_BROWSER=str(browser),
        PATH=f"{tools}:{os.environ['PATH']}",
    )
    assert done.returncode == 0
    assert done.stdout.endswith("https://diorama.example/screen/\n")
    assert f"kiosk: {preferences} stays as it is: does the disk take nothing?\n" in done.stderr


class Gateway(BaseHTTPRequestHandler):
    """In front of a server that is there, or is not."""

    is_there = True
    refused = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200 if self.is_there else 502)
        self.end_headers()
        self.wfile.write(b"<body data-acks-url=x>" if self.is_there else b"<h1>Bad Gateway</h1>")
        if not self.is_there:
            self.refused.set()

    def log_message(self, *_: object) -> None:
        """Nothing of it."""


@pytest.fixture
def address() -> Iterator[str]:
    """A server whose every page says that it is a screen's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def real(tmp_path: Path, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The machine's own browser, as the recipe starts it, once its page answers."""
    name = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    with (tmp_path / "log").open("w") as log:
        started = subprocess.Popen(
            [str(KIOSK), address],
            env=os.environ
            | {
                "DIORAMA_PROFILE": str(tmp_path / "profile"),
                "DIORAMA_BROWSER": name,
                "DIORAMA_BROWSER_FLAGS": "--headless=new --no-sandbox --disable-gpu",
                "DIORAMA_SILENT_S": str(SILENT_S),
            },
            stderr=log,
        )
    try:
        wait_for(lambda: is_ours(tmp_path / "profile", 5) is not None, within_s=SILENT_S)
        yield started
    finally:
        started.terminate()
        started.wait(10)


def port_of(profile: Path) -> int:
    return int((profile / "DevToolsActivePort").read_text().splitlines()[0])


def test_real_browser_takes_all_of_the_flags(
    tmp_path: Path, address: str, real: subprocess.Popen[bytes]
) -> None:
    port = port_of(tmp_path / "profile")
    with playwrights() as playwright:
        chromium = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = chromium.contexts[0].pages
        assert page.url == f"{address}/screen/"
        assert page.evaluate("devicePixelRatio") == 1
    assert (tmp_path / "profile" / "Default").is_dir()


def test_debugging_port_is_open_to_this_machine_only(
    tmp_path: Path, real: subprocess.Popen[bytes]
) -> None:
    port = port_of(tmp_path / "profile")
    listening = [
        one for one in psutil.Process(real.pid).net_connections() if one.status == "LISTEN"
    ]
    assert [one.laddr.ip for one in listening if one.laddr.port == port] == ["127.0.0.1"]


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "is_there", False)


def test_error_of_a_gateway_gives_way_to_the_screen_once_it_is_there(
    tmp_path: Path, down: None, real: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Gateway.refused.wait(SILENT_S)
    wait_for(lambda: is_ours(tmp_path / "profile", 5) is False, within_s=SILENT_S)
    monkeypatch.setattr(Gateway, "is_there", True)
    # It may just have tried, and waits twice as long before it tries again
    wait_for(lambda: is_ours(tmp_path / "profile", 5) is True, within_s=8 * SILENT_S)
    assert "watch: another page is there" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGSTOP], ids=["crashed", "hangs"])
def test_browser_whose_page_answers_no_more_is_ended(
    tmp_path: Path, real: subprocess.Popen[bytes], how: signal.Signals
) -> None:
    pages = [
        process
        for process in psutil.Process(real.pid).children(recursive=True)
        if "--type=renderer" in process.cmdline()
    ]
    assert pages
    for page in pages:
        page.send_signal(how)
    assert is_ours(tmp_path / "profile", 2) is None
    assert real.poll() is None
    real.wait(3 * SILENT_S)
    said = (tmp_path / "log").read_text()
    assert f"watch: no answer for {SILENT_S} s, the browser is ended" in said


def test_kiosk_without_python_shows_the_screen_and_says_what_is_missing(
    tmp_path: Path, browser: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("dirname", "mkdir", "readlink", "rm", "sed"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    done = kiosk(
        "https://diorama.example",
        folder=tmp_path,
        DIORAMA_BROWSER=str(browser),
        PATH=str(tools),
    )
    assert (done.returncode, done.stderr) == (
        0,
        "kiosk: there is no python3: nobody sees a page that hangs\n",
    )
    assert done.stdout.endswith("https://diorama.example/screen/\n")


def test_service_starts_what_is_here_and_always_again() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(HERE / "diorama-screen.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[-1] == f"/opt/diorama-screen/{KIOSK.name}"
    assert service["Restart"] == "always"
    assert service["EnvironmentFile"] == "/etc/diorama-screen"
    guide = (HERE / "README.md").read_text()
    asked = set(re.findall(r"DIORAMA_[A-Z_]+", guide)) | {"DIORAMA_PROFILE"}
    read = KIOSK.read_text() + (HERE / "watch.py").read_text()
    assert asked <= set(re.findall(r"DIORAMA_[A-Z_]+", read))
