"""What was asked of the provider and what it cost, so that nothing is paid for twice."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from figurine.engines.base import Engine


class Ledger(Protocol):
    """One job's account book. A key names one picture of it: its seed, and its place among them.

    A row is opened before a request goes out, gets the provider's id as soon as that is known, and
    is closed when the picture is here or will not come. A row that is open without an id says: this
    may have been paid.
    """

    def find(self, key: str) -> str | None:
        """Id of the request that is out for this key, or done; "" for one that may be out, None
        for none.
        """

    def open_for_s(self, key: str) -> float:
        """Seconds since the key's row was opened last; infinite where there is none."""

    def opening(self, key: str, *, endpoint: str, cost_usd: float) -> None:
        """Write down that a request is about to go out. Raises BudgetSpent: then it must not.

        A row that is there already is opened again and keeps what it may have cost before.
        """

    def record(self, key: str, request_id: str) -> None:
        """Write down the id of the request that went out."""

    def is_finished(self, request_id: str) -> bool:
        """Whether the provider has told by webhook that it is done with it."""

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        """Write down what came of it, an error's code or "done", and what was not charged after
        all. After an error's code there is nothing to be found for the key.
        """

    def is_over(self) -> bool:
        """Whether nobody waits for the job's pictures any more."""

    def ticket(self, key: str) -> str:
        """What the webhook's address ends in, by which the ledger knows the key again. Safe in a
        path, and nobody can make one up.
        """


@runtime_checkable
class Billed(Protocol):
    """An engine that costs money by the picture."""

    def billed(self, ledger: Ledger) -> Engine:
        """The same engine, ready as it is, that keeps its accounts there."""

    def drop(self, endpoint: str, request_id: str) -> bool:
        """Ask that a picture is not made which nobody waits for any more. Whether the provider has
        answered, whatever it said; if not, it is to be asked again.
        """


class Loose:
    """A ledger in memory, for whoever tries the engine out: it forgets, and knows no budget."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def find(self, key: str) -> str | None:
        return self.rows.get(key)

    def open_for_s(self, key: str) -> float:
        return float("inf")

    def opening(self, key: str, *, endpoint: str, cost_usd: float) -> None:
        self.rows[key] = ""

    def record(self, key: str, request_id: str) -> None:
        self.rows[key] = request_id

    def is_finished(self, request_id: str) -> bool:
        return False

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        self.rows.pop(key, None)

    def is_over(self) -> bool:
        return True

    def ticket(self, key: str) -> str:
        return key
