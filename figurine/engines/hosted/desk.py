"""Pictures asked for at the provider: found again or submitted, followed, collected, paid once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from figurine.engines.base import Progress
from figurine.engines.hosted.endpoints import Endpoint
from figurine.engines.hosted.ledger import Ledger
from figurine.engines.hosted.queue import GONE, Queue
from figurine.engines.hosted.wire import Failure
from figurine.errors import Cancelled, FigurineError, ProviderBroke, ProviderTimeout
from figurine.types import Pixels

log = structlog.get_logger(__name__)

DONE: Final = "done"
UNPAID: Final = frozenset({401, 402, 403})
LATER: Final = frozenset({408, 409, 425, 429})
"""Answers to a question for the result that are the queue's and not the model's: the request goes
on. So it does after any 5xx that does not say it is the model's: whatever stands before the queue
answers so too.
"""
PATIENCE: Final = 8
"""How often in a row a request may be asked after in vain before the try is given up."""

SUBMIT_S: Final = 15.0
"""What submitting one picture is given, its references of some 0.5 MB included: a second or two."""


@dataclass(frozen=True)
class Pace:
    """How often what is looked at, and how long is waited. Seconds."""

    poll_s: float = 0.5
    """Between two questions to the provider, where no webhook tells."""
    slow_poll_s: float = 3.0
    """The same, where one does."""
    heed_s: float = 0.2
    """Between two looks at who cancels and at what the webhook brought."""
    unsure_s: float = 60.0
    """How long a webhook is waited for after a crash between submitting and recording."""
    in_flight_s: float = 20.0
    """The same without a webhook: as long as a worker that still lives may take to record."""

    def unsure(self, webhook: str) -> float:
        return self.unsure_s if webhook else self.in_flight_s


@dataclass(frozen=True)
class Ask:
    """One picture wanted."""

    key: str
    arguments: Mapping[str, Any]
    cost_usd: float


@dataclass
class _Out:
    """A request that is out."""

    ask: Ask
    request_id: str
    asked_s: float = float("-inf")
    failures: int = 0
    stage: str = "waiting"
    position: int = 0
    most: int = 1
    """The farthest from the front that it was seen."""
    result: Pixels | FigurineError | None = field(default=None)

    def share(self) -> float:
        """How far it is, 0..1, as far as anyone can tell."""
        if self.result is not None:
            return 1.0
        if self.stage == "waiting":
            return 0.3 * (1 - self.position / self.most)
        return 0.4 if self.stage == "painting" else 0.9


def limit_s(endpoint: Endpoint, pace: Pace, *, webhook: str, pictures: int) -> float:
    """When a desk that was asked for so many pictures gives up by itself. What it is at just then,
    a result and its file at most, still takes two calls (wire.CALL_S).
    """
    return pace.unsure(webhook) + pictures * SUBMIT_S + endpoint.wait_s


class Desk:
    """Handles one job's requests at one endpoint."""

    def __init__(
        self, queue: Queue, ledger: Ledger, endpoint: Endpoint, *, webhook: str, pace: Pace
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._endpoint = endpoint
        self._webhook = webhook.rstrip("/")
        self._pace = pace

    def obtain(self, asks: Sequence[Ask], *, progress: Progress) -> list[Pixels | FigurineError]:
        """For each its picture, or what went wrong with it. All are out at the same time.

        A provider that is so slow that not all can be submitted in time gets no more of them.
        Raises Cancelled as `progress` does, having asked the provider to drop what is out, and
        FigurineError where not even the first could be submitted.
        """
        out: list[_Out] = []
        due_s = time.monotonic() + limit_s(
            self._endpoint, self._pace, webhook=self._webhook, pictures=len(asks)
        )
        try:
            for ask in asks:
                if time.monotonic() > due_s:
                    out.append(_Out(ask, "", result=ProviderTimeout("not submitted in time")))
                    continue
                try:
                    out.append(_Out(ask, self._request(ask, progress)))
                except Cancelled:
                    raise
                except FigurineError as error:
                    if not out:
                        raise
                    out.append(_Out(ask, "", result=error))
            self._follow(out, progress, due_s=due_s)
        except Cancelled:
            if self._ledger.is_over():  # else another worker has it, and goes on with these
                for one in out:
                    if one.result is None:
                        self._drop(one)
            raise
        return [_known(one) for one in out]

    # -- submitting

    def _request(self, ask: Ask, progress: Progress) -> str:
        """Id of the request for this key: the one that is out already, or else a new one."""
        known = self._ledger.find(ask.key)
        if known == "":
            known = self._wait_for_news(ask.key, progress)
        if known:
            log.info("hosted request picked up again", request=known)
            return known
        progress("waiting", 0.0)
        self._ledger.opening(ask.key, endpoint=self._endpoint.path, cost_usd=ask.cost_usd)
        try:
            request_id = self._queue.submit(
                self._endpoint.path,
                dict(ask.arguments),
                webhook=f"{self._webhook}/{self._ledger.ticket(ask.key)}" if self._webhook else "",
                start_within_s=self._endpoint.wait_s,
            )
        except Failure as failure:
            # Otherwise the row stays open without an id: it may have been taken, and paid
            if failure.is_refusal:
                self._ledger.close(ask.key, outcome=failure.error.code, refund_usd=ask.cost_usd)
            raise failure.error from None
        self._ledger.record(ask.key, request_id)
        return request_id

    def _wait_for_news(self, key: str, progress: Progress) -> str | None:
        """What a worker before us submitted, if its webhook still tells; "" or None if not."""
        limit_s = self._pace.unsure(self._webhook)
        known = self._ledger.find(key)
        while known == "" and self._ledger.open_for_s(key) < limit_s:
            progress("waiting", 0.0)
            time.sleep(self._pace.heed_s)
            known = self._ledger.find(key)
        if known == "":
            log.warning("a request that may have been paid is lost, and made again", key=key)
        return known

    # -- following

    def _follow(self, out: Sequence[_Out], progress: Progress, *, due_s: float) -> None:
        deadline_s = min(time.monotonic() + self._endpoint.wait_s, due_s)
        while waiting := [one for one in out if one.result is None]:
            for one in waiting:
                self._look(one, due_s=due_s)
                if time.monotonic() > due_s:
                    break
            share = sum(one.share() for one in out) / len(out)
            progress(min((one.stage for one in out), key=_ORDER.index), share)
            if not any(one.result is None for one in out):
                return
            if time.monotonic() > deadline_s:
                # They stay out: the next try picks them up
                for one in out:
                    if one.result is None:
                        one.result = ProviderTimeout(f"{self._endpoint.wait_s:.0f} s")
                return
            time.sleep(self._pace.heed_s)

    def _look(self, one: _Out, *, due_s: float) -> None:
        """Ask about it, or collect it, if it is time to."""
        is_news = (
            one.stage != "collecting" and self._webhook and self._ledger.is_finished(one.request_id)
        )
        if is_news:
            one.stage = "collecting"
        is_slow = self._webhook and one.stage != "collecting"
        every_s = self._pace.slow_poll_s if is_slow else self._pace.poll_s
        if not is_news and time.monotonic() - one.asked_s < every_s:
            return
        one.asked_s = time.monotonic()
        if one.stage != "collecting":
            self._patiently(one, self._ask)
        if one.stage == "collecting" and one.result is None and time.monotonic() <= due_s:
            self._patiently(one, self._collect)

    def _ask(self, one: _Out) -> None:
        standing = self._queue.standing(self._endpoint.path, one.request_id)
        one.stage, one.position = standing.stage, standing.position
        one.most = max(one.most, standing.position)

    def _collect(self, one: _Out) -> None:
        try:
            one.result = self._queue.collect(self._endpoint.path, one.request_id)
        except Failure as failure:
            # The model's own answer to the request comes as the status of this question
            if failure.is_broken:
                failure.is_final = failure.is_models
            elif failure.status not in (None, GONE, *LATER, *UNPAID):
                failure.is_final = True
            raise
        self._ledger.close(one.ask.key, outcome=DONE)

    def _patiently(self, one: _Out, step: Callable[[_Out], None]) -> None:
        """Do it; a failure that says nothing about the request itself is borne a few times."""
        try:
            step(one)
        except Failure as failure:
            one.failures += 1
            is_worn_out = one.failures >= PATIENCE
            if failure.is_final or (is_worn_out and failure.status == GONE):
                self._end(one, failure)
            elif is_worn_out or failure.status in UNPAID:
                one.result = failure.error  # it stays out, for the next try to pick up
        else:
            one.failures = 0

    def _end(self, one: _Out, failure: Failure) -> None:
        """The provider's last word: nothing will come of it."""
        # Its documentation: what ends with a 5xx is not charged
        is_free = failure.is_broken and failure.is_models
        self._ledger.close(
            one.ask.key,
            outcome=failure.error.code,
            refund_usd=one.ask.cost_usd if is_free else 0.0,
        )
        one.result = failure.error

    def _drop(self, one: _Out) -> None:
        """Ask that it is not made. What it costs stays counted: nobody says whether it is.

        Where the provider does not answer the row stays open, and whoever keeps the ledger asks
        again.
        """
        if self._queue.cancel(self._endpoint.path, one.request_id):
            self._ledger.close(one.ask.key, outcome=Cancelled.code)


_ORDER: Final = ("waiting", "painting", "collecting")


def _known(one: _Out) -> Pixels | FigurineError:
    return one.result if one.result is not None else ProviderBroke("neither picture nor error")
