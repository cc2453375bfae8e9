"""A hosted engine's desk with accounts in memory, at the provider on this machine."""

from __future__ import annotations

import functools
import time
from dataclasses import replace

from figurine.engines.hosted import endpoints
from figurine.engines.hosted.desk import Ask, Desk, Pace
from figurine.engines.hosted.ledger import Loose
from figurine.engines.hosted.queue import Queue
from figurine.errors import BudgetSpent, FigurineError
from figurine.types import Pixels
from tests.figurine.queue_server import KEY, QueueServer

ENDPOINT = replace(next(iter(endpoints.shelf().values())), wait_s=5.0)
PACE = Pace(poll_s=0.0, slow_poll_s=0.0, heed_s=0.002, unsure_s=0.1, in_flight_s=0.03)
WEBHOOK = "https://diorama.example/webhooks/fal/"
FACE = "data:image/jpeg;base64,c29tZWJvZHkncyBmYWNl"


class Book(Loose):
    """Remembers what it was told, and may be told what a webhook brought."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, ...]] = []
        self.cost_usd = 0.0
        self.budget_usd = float("inf")
        self.finished: set[str] = set()
        self.opened_s: dict[str, float] = {}
        self.news: dict[str, str] = {}
        self.is_going_on = False

    def find(self, key: str) -> str | None:
        if self.rows.get(key) == "" and key in self.news:
            self.rows[key] = self.news[key]
        return super().find(key)

    def open_for_s(self, key: str) -> float:
        return time.monotonic() - self.opened_s.get(key, float("-inf"))

    def opening(self, key: str, *, endpoint: str, cost_usd: float) -> None:
        if self.cost_usd + cost_usd > self.budget_usd:
            raise BudgetSpent("enough")
        super().opening(key, endpoint=endpoint, cost_usd=cost_usd)
        self.opened_s[key] = time.monotonic()
        self.told.append(("opening", key, endpoint))
        self.cost_usd = round(self.cost_usd + cost_usd, 4)

    def record(self, key: str, request_id: str) -> None:
        super().record(key, request_id)
        self.told.append(("record", key, request_id))

    def is_finished(self, request_id: str) -> bool:
        return request_id in self.finished

    def is_over(self) -> bool:
        return not self.is_going_on

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        super().close(key, outcome=outcome, refund_usd=refund_usd)
        self.told.append(("close", key, outcome))
        self.cost_usd = round(self.cost_usd - refund_usd, 4)


queue = functools.cache(Queue)
"""One a server: certificates are read anew for each."""


def desk(
    server: QueueServer,
    book: Book,
    *,
    webhook: str = "",
    pace: Pace = PACE,
    wait_s: float = 5.0,
) -> Desk:
    endpoint = replace(ENDPOINT, wait_s=wait_s)
    return Desk(queue(key=KEY, base=server.base), book, endpoint, webhook=webhook, pace=pace)


def ask(key: str = "1-0") -> Ask:
    return Ask(key, {"prompt": "a toy", "image_urls": [FACE], "seed": 1}, 0.03)


def obtain(desk: Desk, *keys: str) -> list[Pixels | FigurineError]:
    return desk.obtain([ask(key) for key in keys or ("1-0",)], progress=lambda stage, done: None)


def outcome(desk: Desk) -> type[FigurineError] | None:
    """What came of one picture; None for the picture itself."""
    try:
        (made,) = obtain(desk)
    except FigurineError as error:
        return type(error)
    return type(made) if isinstance(made, FigurineError) else None
