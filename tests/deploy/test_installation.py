from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from deploy import address, installation, programs, pulse
from deploy.broker import Broker
from deploy.console import Console
from deploy.exits import ExitCode, StartFailure
from deploy.installation import _painters, stop_signals, without_cards, without_key
from deploy.listening import Listening
from deploy.pulse import Watch
from deploy.supervisor import Program
from deploy.var_folder import VarFolder
from tests.deploy.test_summary import FIRST


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (signal.SIG_DFL, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]),
        (signal.SIG_IGN, [signal.SIGINT, signal.SIGTERM]),
    ],
)
def test_closed_terminal_stops_all_unless_under_nohup(
    disposition: signal.Handlers, expected: list[signal.Signals]
) -> None:
    before = signal.signal(signal.SIGHUP, disposition)
    try:
        assert stop_signals() == expected
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, []),
        ({"DIORAMA_GPU_WORKERS": "0", "DIORAMA_FAL_KEY": ""}, []),
        ({"DIORAMA_GPU_WORKERS": "2"}, ["worker-gpu-0", "worker-gpu-1"]),
        ({"DIORAMA_FAL_KEY": "k"}, ["worker-hosted"]),
        ({"DIORAMA_GPU_WORKERS": "1", "DIORAMA_FAL_KEY": "k"}, ["worker-gpu-0", "worker-hosted"]),
    ],
)
def test_engines_beyond_sculpt_run_where_they_are_asked_for(
    var: VarFolder, asked: dict[str, str], names: list[str]
) -> None:
    assert [program.name for program in _painters(asked, var)] == names


def test_key_in_a_file_asks_for_the_hosted_worker(var: VarFolder, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    asked = {"DIORAMA_FAL_KEY_FILE": str(tmp_path / "key")}
    assert [program.name for program in _painters(asked, var)] == ["worker-hosted"]
    with pytest.raises(StartFailure, match="DIORAMA_FAL_KEY_FILE cannot be read"):
        _painters({"DIORAMA_FAL_KEY_FILE": str(tmp_path / "gone")}, var)


@pytest.mark.parametrize("name", ["DIORAMA_FAL_KEY", "DIORAMA_FAL_KEY_FILE"])
def test_key_is_the_hosted_worker_s_alone(var: VarFolder, tmp_path: Path, name: str) -> None:
    file = tmp_path / "key"
    file.write_text("hush")
    key = str(file) if name.endswith("_FILE") else "hush"
    asked = {name: key, "DIORAMA_GPU_WORKERS": "1", "PATH": "/bin"}
    gpu, hosted = _painters(asked, var)
    assert hosted.environment[name] == key
    assert name not in gpu.environment
    assert without_key(asked) == {
        "DIORAMA_GPU_WORKERS": "1",
        "PATH": "/bin",
        "DIORAMA_HOSTED": "1",
    }
    assert without_key({"PATH": "/bin", "DIORAMA_FAL_KEY": ""}) == {"PATH": "/bin"}


def test_number_of_gpus_that_is_none_is_refused(var: VarFolder) -> None:
    with pytest.raises(StartFailure) as caught:
        _painters({"DIORAMA_GPU_WORKERS": "all"}, var)
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("allowed", "cards"), [("", ["0", "1"]), ("3, GPU-5f", ["3", "GPU-5f"]), ("2", ["2", "-1"])]
)
def test_each_gpu_worker_sees_one_card_and_is_watched(
    var: VarFolder, allowed: str, cards: list[str]
) -> None:
    asked = {"DIORAMA_GPU_WORKERS": "2", "CUDA_VISIBLE_DEVICES": allowed}
    programs = _painters(asked, var)
    assert [program.environment["CUDA_VISIBLE_DEVICES"] for program in programs] == cards
    watched = [program.watch.file for program in programs if program.watch]
    assert watched == [pulse.file_of(program.name, var=var.path) for program in programs]
    for program in programs:
        words = " ".join(program.command)
        assert "-Q gpu -c 2 -P threads" in words
        assert f"--hostname {program.name}@%h" in words


def test_sculptor_is_watched_by_the_pulse_that_it_writes(var: VarFolder) -> None:
    program = programs.generation_worker(environment={}, var=var.path)
    assert program.watch == Watch(file=pulse.file_of("generation", var=var.path))
    assert "--hostname generation@%h" in " ".join(program.command)


def test_painters_have_their_cards_for_themselves(var: VarFolder) -> None:
    asked = {"DIORAMA_GPU_WORKERS": "1", "DIORAMA_FAL_KEY": "k", "CUDA_VISIBLE_DEVICES": "3"}
    gpu, hosted = _painters(asked, var)
    seen = [program.environment["CUDA_VISIBLE_DEVICES"] for program in (gpu, hosted)]
    assert seen == ["3", ""]
    assert without_cards(asked) == {**asked, "CUDA_VISIBLE_DEVICES": ""}
    for without in ({}, {"DIORAMA_GPU_WORKERS": "0"}):
        alone = {**without, "CUDA_VISIBLE_DEVICES": "3"}
        assert without_cards(alone) == alone  # sculpt's are its own then
        assert without_cards(without) == without


def test_sculpting_on_a_painters_card_is_refused() -> None:
    asked = {"DIORAMA_GPU_WORKERS": "1", "SCULPT_VARIANT": "cuda_ad_rgb"}
    with pytest.raises(StartFailure, match="set one of the two") as caught:
        without_cards(asked)
    assert caught.value.code is ExitCode.USAGE
    for fine in ({"SCULPT_VARIANT": "llvm_ad_rgb"}, {"DIORAMA_GPU_WORKERS": "0"}):
        assert without_cards(asked | fine).items() >= fine.items()


class Listed(Exception):
    """The rest does not start."""


class Lister:
    """A supervisor that notes whom it is asked to run, up to the first that stays."""

    def __init__(self) -> None:
        self.asked: list[Program] = []

    async def run_once(self, program: Program) -> Any:
        self.asked.append(program)
        return type("Run", (), {"status": 0, "output": json.dumps(asdict(FIRST))})

    def start(self, program: Program) -> Any:
        self.asked.append(program)
        raise Listed


class Silent:
    def step(self, text: str, *, took_s: float) -> None: ...


def listed(var: VarFolder, port: int) -> list[Program]:
    listening = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)
    lister: Any = Lister()
    console: Any = Silent()
    broker = Broker(var) if installation._own_doorbells(os.environ) else None
    with pytest.raises(Listed):
        asyncio.run(installation._start(var, listening, broker, lister, console))
    return list(lister.asked)


def test_what_the_operator_has_set_stays(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIORAMA_SECRET_KEY", "theirs")
    monkeypatch.setenv("DIORAMA_ALLOWED_HOSTS", "booth.example")
    listening = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)
    told = installation._environment(var, replace(listening, bind="192.0.2.7"), Broker(var))
    assert told["DIORAMA_SECRET_KEY"] == "theirs"
    assert "DIORAMA_SECRET_KEY_FILE" not in told  # it would be read instead
    # And it must be able to ask itself whether it is ready.
    hosts = ["booth.example", "localhost", "127.0.0.1", "[::1]", "192.0.2.7"]
    assert told["DIORAMA_ALLOWED_HOSTS"].split(",") == hosts


@pytest.fixture(autouse=True)
def no_doorbell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the tests are not the operator's."""
    for name in installation.DOORBELLS:
        monkeypatch.delenv(name)


def test_doorbells_that_are_elsewhere_are_kept_and_no_valkey_is_started(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIORAMA_BROKER_URL", "amqp://rabbit.example")
    first = listed(var, port)[-1]
    assert first.name == "valkey", "for the channels alone"
    assert first.environment["DIORAMA_BROKER_URL"] == "amqp://rabbit.example"
    assert first.environment["DIORAMA_CHANNEL_URL"].startswith("unix:///")
    (tmp_path / "channels").write_text("rediss://cloud.example\n")
    monkeypatch.setenv("DIORAMA_CHANNEL_URL_FILE", str(tmp_path / "channels"))
    started = listed(var, port)
    assert [one.name for one in started] == ["migrate", "demo", "web"]
    assert started[-1].environment["DIORAMA_BROKER_URL"] == "amqp://rabbit.example"
    assert "DIORAMA_CHANNEL_URL" not in started[-1].environment


def test_desk_has_the_machine_s_time_unless_it_is_told_another(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    for told, zone in (("", "Asia/Tokyo"), ("Europe/Berlin", "Europe/Berlin")):
        monkeypatch.setenv("DIORAMA_TIME_ZONE", told)
        told_to_all = installation._environment(var, listening, None)
        assert told_to_all["DIORAMA_TIME_ZONE"] == zone


@pytest.mark.parametrize(("workers", "card"), [("1", ""), ("0", "3")])
def test_whoever_paints_nothing_sees_no_painters_card(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch, workers: str, card: str
) -> None:
    monkeypatch.setenv("DIORAMA_GPU_WORKERS", workers)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    seen = {one.name: one.environment["CUDA_VISIBLE_DEVICES"] for one in listed(var, port)}
    assert seen == ({"check": card} if workers == "1" else {}) | {"valkey": card}


def test_bucket_is_looked_at_before_anything_runs(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIORAMA_S3_BUCKET", "pics")
    check, valkey = listed(var, port)
    assert (check.name, valkey.name) == ("check", "valkey")
    assert check.command[-2:] == ("--database", "default")


def test_machine_whose_address_changes_says_so_once(
    var: VarFolder,
    port: int,
    console: Console,
    terminal: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, away = "192.168.1.5", "10.0.0.7"
    seen: list[tuple[str, ...]] = [(home,), (), (away,), (away,), (home, away), (away,)]
    monkeypatch.setattr(address, "lan_addresses", lambda: (home,))
    monkeypatch.setattr(address, "routed_addresses", lambda: seen.pop(0))
    monkeypatch.setattr(installation, "ADDRESS_EVERY_S", 0)
    listening = Listening.plan(bind="0.0.0.0", port=port, https=False, public_url="", var=var)
    with pytest.raises(IndexError):
        asyncio.run(installation._watch_address(listening, console))
    console.close()
    said = terminal.read_text()
    assert said.count(f"at {away} now, and its codes still lead to {home}") == 2


def test_machine_that_a_vpn_takes_elsewhere_is_still_where_phones_find_it(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "lan_addresses", lambda: ("127.0.0.5",))
    monkeypatch.setattr(address, "routed_addresses", lambda: ("10.0.0.7",))
    plan = Listening.plan(bind="0.0.0.0", port=port, https=False, public_url="", var=var)
    assert plan.moved_to() == ""
    monkeypatch.setattr(address, "lan_addresses", lambda: ("203.0.113.5",))
    plan = Listening.plan(bind="0.0.0.0", port=port, https=False, public_url="", var=var)
    assert plan.moved_to() == "10.0.0.7"


def test_address_that_the_operator_has_said_is_not_watched(
    var: VarFolder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "routed_addresses", lambda: ("10.0.0.7",))
    for bind, public_url in (("0.0.0.0", "https://booth.example"), ("127.0.0.1", "")):
        plan = Listening.plan(bind=bind, port=port, https=False, public_url=public_url, var=var)
        assert plan.moved_to() == ""
