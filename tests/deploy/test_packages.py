from __future__ import annotations

from pathlib import Path

import pytest

from deploy.exits import ExitCode, StartFailure
from deploy.packages import check_packages


def test_packages_all_there_passes() -> None:
    check_packages()


def test_packages_missing_are_named(tmp_path: Path) -> None:
    requirements = tmp_path / "embedded.txt"
    names = ["django", *(f"no-such-wheel-{number}" for number in range(1, 6))]
    requirements.write_text("# a remark\n" + "".join(f"{name}==1.0\n" for name in names))
    with pytest.raises(StartFailure) as caught:
        check_packages(requirements)
    assert caught.value.code is ExitCode.MISSING_PACKAGE
    assert str(caught.value) == (
        "no-such-wheel-1, no-such-wheel-2, no-such-wheel-3 and 2 more not installed; "
        "`make run` installs what is missing, or: "
        "pip install --no-deps -r requirements/embedded.txt"
    )
