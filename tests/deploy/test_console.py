"""The terminal may be coloured, plain, paused or gone; the children must not notice."""

from __future__ import annotations

import os
import pty
import threading
from pathlib import Path

import pytest

from deploy.console import BACKLOG_LINES, Console

LONG_S = 30.0
"""Of a wait that is over in a tenth of a second, on the busiest machine."""


def test_console_paints_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        console = Console(terminal)
        console.say(console.paint("up", "1"))
        console.close()
        assert os.read(ours, 100) == b"\x1b[1mup\x1b[0m\r\n"
    os.close(ours)


def test_console_obeys_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        console = Console(terminal)
        assert console.paint("up", "1") == "up"
        console.close()
    os.close(ours)


def test_console_is_plain_in_a_file(console: Console, terminal: Path) -> None:
    console.step("Valkey answers", took_s=0.12)
    console.warn("web ended")
    console.child("web", "not yet shown")
    console.close()
    assert terminal.read_text() == "  ✓ Valkey answers 0.1 s\n  ! web ended\n"


def test_console_writes_what_an_ascii_terminal_cannot_show(tmp_path: Path) -> None:
    path = tmp_path / "terminal"
    with path.open("w", encoding="ascii") as stream:
        console = Console(stream)
        console.say("✓ up")
        console.close()
    assert path.read_bytes() == b"? up\n"


def test_console_paused_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        console = Console(stream)

        def tell() -> None:
            for _ in range(2 * BACKLOG_LINES):
                console.say("x" * 200)
            console.close(patience_s=0.1)

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        teller.join(LONG_S)
        assert not teller.is_alive(), "it waits for a reader, and nobody has read yet"
        assert os.read(reading, 200) == b"x" * 200
        os.close(reading)  # lets the thread go


def test_console_gone_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        os.close(reading)
        console = Console(stream)
        console.say("is anybody there?")
        console.close()
        console.say("no")
