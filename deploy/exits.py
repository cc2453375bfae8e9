"""How a start can fail: each way has its own exit status and one sentence."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of `python -m deploy.up`; its --help lists them."""

    meaning: str

    STOPPED = 0, "stopped as asked"
    UNEXPECTED = 1, "a fault of the supervisor itself, with its traceback"
    USAGE = 2, "an option that cannot be"
    MISSING_PACKAGE = 3, "a wheel is not installed, or has nothing for this machine"
    UNWRITABLE = 4, "the var folder cannot be written"
    ALREADY_RUNNING = 5, "another supervisor runs on the same var folder"
    PORT_UNAVAILABLE = 6, "the port is taken or reserved, or the address is not this machine's"
    BROKER_FAILED = 7, "Valkey did not answer in time"
    MIGRATION_FAILED = 8, "the database could not be brought up to date"
    DEMO_FAILED = 9, "the demo campaign, account or screen could not be made"
    WEB_FAILED = 10, "the web server did not answer in time"
    MISCONFIGURED = 11, "the GPU, the hosted engine or the bucket lacks what it needs"

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


class StartFailure(Exception):
    """The message is one sentence for a person."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
