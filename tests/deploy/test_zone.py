"""deploy/zone.py: the machine's own time zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import zone


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One that says nothing yet."""
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(zone, "LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(zone, "TIMEZONE", tmp_path / "timezone")
    return tmp_path


def test_machine_that_says_nothing_is_in_utc() -> None:
    assert zone.own_zone() == "UTC"


def test_zone_is_the_one_that_the_machine_is_set_to(machine: Path) -> None:
    (machine / "localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert zone.own_zone() == "Asia/Tokyo"


def test_copy_without_a_link_goes_by_the_name_beside_it(machine: Path) -> None:
    (machine / "localtime").write_bytes(b"TZif2")
    (machine / "timezone").write_text("America/New_York\n")
    assert zone.own_zone() == "America/New_York"


@pytest.mark.parametrize(
    ("told", "named"),
    [(":Europe/Berlin", "Europe/Berlin"), ("CET-1CEST", "Asia/Tokyo"), ("../../x", "Asia/Tokyo")],
)
def test_zone_of_the_shell_comes_first_where_it_is_a_name(
    machine: Path, monkeypatch: pytest.MonkeyPatch, told: str, named: str
) -> None:
    (machine / "timezone").write_text("Asia/Tokyo\n")
    monkeypatch.setenv("TZ", told)
    assert zone.own_zone() == named
