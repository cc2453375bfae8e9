"""deploy/screen: the browser of a screen, as its machine starts it."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.deploy.conftest import ROOT, wait_for
from tests.stack import free_port

HERE = ROOT / "deploy" / "screen"
KIOSK = HERE / "kiosk"


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


def test_real_browser_takes_all_of_the_flags(tmp_path: Path) -> None:
    name = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    port, log = free_port(), tmp_path / "log"
    here = f"--headless=new --no-sandbox --disable-gpu --remote-debugging-port={port}"
    with log.open("w") as out:
        started = subprocess.Popen(
            [str(KIOSK), "http://127.0.0.1:9"],
            env=os.environ
            | {
                "DIORAMA_PROFILE": str(tmp_path / "profile"),
                "DIORAMA_BROWSER": name,
                "DIORAMA_BROWSER_FLAGS": here,
            },
            stderr=out,
        )
    try:
        wait_for(lambda: "DevTools listening" in log.read_text(), within_s=30)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
            (page,) = chromium.contexts[0].pages
            assert page.url in ("http://127.0.0.1:9/screen/", "chrome-error://chromewebdata/")
            assert page.evaluate("devicePixelRatio") == 1
    finally:
        started.terminate()
        started.wait(10)
    assert (tmp_path / "profile" / "Default").is_dir()


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
    assert asked <= set(re.findall(r"DIORAMA_[A-Z_]+", KIOSK.read_text()))
