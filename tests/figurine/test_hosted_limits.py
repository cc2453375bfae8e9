"""engines/hosted: a provider however slow is given up before its worker counts as hung."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from figurine.engines.hosted import desk as desk_module
from figurine.engines.hosted import endpoints, wire
from figurine.engines.hosted.desk import Desk, Pace
from figurine.engines.hosted.engine import HostedEngine
from figurine.engines.hosted.ledger import Loose
from figurine.engines.hosted.queue import Standing
from figurine.engines.hosted.wire import Failure
from figurine.engines.workshop import Workshop
from figurine.errors import ProviderTimeout
from figurine.types import Pixels, Recipe
from tests.figurine.hosted_desk import ask

RECIPE = Recipe("hosted", "soldier", "painted")


@dataclass
class Slow:
    """A queue each answer of which takes as long as one may, and never is a picture."""

    stage: str
    now_s: float = 0.0
    submitted: int = 0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, for_s: float) -> None:
        self.now_s += for_s

    def submit(self, *_: Any, **__: Any) -> str:
        self.now_s += wire.CALL_S
        self.submitted += 1
        return f"r-{self.submitted}"

    def standing(self, path: str, request_id: str) -> Standing:
        self.now_s += wire.CALL_S
        return Standing(self.stage)

    def collect(self, path: str, request_id: str) -> Pixels:
        self.now_s += 2 * wire.CALL_S
        raise Failure(ProviderTimeout("slow"))


@pytest.mark.parametrize("webhook", ["", "https://diorama.example/webhooks/fal"])
@pytest.mark.parametrize("stage", ["waiting", "collecting"])
@pytest.mark.parametrize("candidates", [1, 2, 4])
def test_slow_provider_does_not_end_the_worker(
    monkeypatch: pytest.MonkeyPatch, candidates: int, stage: str, webhook: str
) -> None:
    slow = Slow(stage)
    clock = SimpleNamespace(monotonic=slow.monotonic, sleep=slow.sleep)
    monkeypatch.setattr(desk_module, "time", clock)
    recipe = replace(RECIPE, options={"candidates": candidates})
    engine = HostedEngine(Workshop(hosted_webhook=webhook))
    for _ in range(2):
        desk = Desk(
            slow,  # type: ignore[arg-type]
            Loose(),
            endpoints.of(recipe),
            webhook=webhook,
            pace=Pace(),
        )
        asks = [ask(f"1-{number}") for number in range(candidates)]
        made = desk.obtain(asks, progress=lambda stage, done: None)
        assert [type(one) for one in made] == [ProviderTimeout] * candidates
    # What is left is for posing, comparing and cutting out
    assert slow.now_s <= engine.limit_s(recipe, faces=1) - 100.0


def test_provider_too_slow_to_take_all_gets_no_more_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow("waiting")
    clock = SimpleNamespace(monotonic=slow.monotonic, sleep=slow.sleep)
    monkeypatch.setattr(desk_module, "time", clock)
    book = Loose()
    endpoint = endpoints.of(RECIPE)
    desk = Desk(slow, book, endpoint, webhook="", pace=Pace())  # type: ignore[arg-type]
    desk.obtain([ask(f"1-{number}") for number in range(4)], progress=lambda stage, done: None)
    # 4 x 15 s to submit, 60 s to wait and 20 s to find again are over after two calls of 85 s
    assert sorted(book.rows) == ["1-0", "1-1"]
