from __future__ import annotations

from pathlib import Path

import pytest

from deploy import checks
from figurine import weights
from figurine.weights import Weight


def test_all_weights_are_there() -> None:
    assert checks.check_weights() == []


def test_altered_weight_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(weights.__file__).name
    wrong = Weight(weights.__name__, file=file, licence="Apache-2.0", sha256="0" * 64)
    monkeypatch.setattr(weights, "ALL", (wrong,))
    assert [found.id for found in checks.check_weights()] == ["deploy.E001"]
