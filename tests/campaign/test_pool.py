from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.test import Client

from campaign.models import Campaign, Submission
from tests import shelf
from tests.campaign.desk_pages import queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether a connection of the database was held, each time a picture was written or read."""
    store = storages["private"]
    kind: Any = type(store)
    times: list[bool] = []

    def noted(of: Callable[..., Any]) -> Callable[..., Any]:
        def reaches(self: Any, name: str, *arguments: Any, **words: Any) -> Any:
            if name.startswith(("selfies/", "figurines/")):
                times.append(connection.connection is not None)
            return of(self, name, *arguments, **words)

        return reaches

    monkeypatch.setattr(kind, "_open", noted(kind._open))
    monkeypatch.setattr(kind, "_save", noted(kind._save))
    yield times


def test_nobody_waits_for_a_connection_while_a_selfie_is_stored(
    receive: Callable[..., Submission], held: list[bool]
) -> None:
    receive()
    assert held == [False]


def test_nobody_waits_for_a_connection_while_a_thumb_is_read(
    crew: Client, campaign: Campaign, held: list[bool]
) -> None:
    shelf.put(campaign)
    (card,) = queue(crew)["cards"]
    held.clear()
    assert crew.get(card["thumb_url"]).status_code == 200
    assert held == [False]
