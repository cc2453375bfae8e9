"""campaign/webhooks.py: the provider's doorbell, its signature, and everyone else's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.urls import reverse

from campaign import hosted, provider_keys, webhooks
from campaign.hosted import JobLedger, Ticket
from campaign.models import GenerationJob, HostedRequest, Submission
from campaign.provider_keys import KeyRing
from tests.figurine.queue_server import QueueServer

Post = Callable[..., int]


@pytest.fixture(scope="module")
def provider() -> Iterator[QueueServer]:
    with QueueServer() as server:
        yield server


@pytest.fixture
def server(provider: QueueServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> QueueServer:
    provider.forget()
    provider.key = Ed25519PrivateKey.generate()
    settings.HOSTED_KEYS_URL = f"{provider.base}/.well-known/jwks.json"
    monkeypatch.setattr(webhooks, "ring", KeyRing())
    return provider


@pytest.fixture
def ledger(bare: Submission) -> JobLedger:
    ledger = JobLedger(GenerationJob.objects.create(submission=bare, recipe={}, seed=1).pk)
    ledger.opening("1-0", endpoint="one", cost_usd=0.03)
    ledger.record("1-0", "r-1")
    return ledger


@pytest.fixture
def post(server: QueueServer, ledger: JobLedger) -> Post:
    """Send what the provider would, or what the test says instead; the answer's status."""

    def send(
        body: bytes | None = None, headers: dict[str, str] | None = None, ticket: str = ""
    ) -> int:
        body = server.told("r-1") if body is None else body
        answer = Client(enforce_csrf_checks=True).post(
            reverse("campaign:webhook", args=[ticket or ledger.ticket("1-0")]),
            body,
            content_type="application/json",
            headers=server.signed(body) if headers is None else headers,
        )
        assert answer.content == b""
        return answer.status_code

    return send


def is_finished() -> bool:
    return HostedRequest.objects.get().finished_at is not None


def test_request_is_finished_when_the_provider_says_so(post: Post, ledger: JobLedger) -> None:
    assert post() == 204
    assert ledger.is_finished("r-1")


def test_replay_is_harmless(post: Post) -> None:
    post()
    first = HostedRequest.objects.get().finished_at
    assert post() == 204
    assert HostedRequest.objects.get().finished_at == first


def test_late_call_of_an_earlier_request_changes_nothing(
    server: QueueServer, post: Post, ledger: JobLedger
) -> None:
    earlier = ledger.ticket("1-0")
    ledger.close("1-0", outcome="provider_broke")
    ledger.opening("1-0", endpoint="one", cost_usd=0.03)
    assert post(server.told("r-1", status="ERROR"), ticket=earlier) == 204
    assert (ledger.find("1-0"), is_finished()) == ("", False)
    assert post(server.told("r-2")) == 204
    assert (ledger.find("1-0"), is_finished()) == ("r-2", True)


def test_error_rings_too(server: QueueServer, post: Post) -> None:
    assert post(server.told("r-1", status="ERROR")) == 204
    assert is_finished()


def test_body_is_read_beyond_the_limit_of_forms(server: QueueServer, post: Post) -> None:
    body = json.dumps({"request_id": "r-1", "payload": "x" * 3_000_000}).encode()
    assert post(body) == 204
    assert is_finished()


def test_id_that_nobody_recorded_is_brought(post: Post, ledger: JobLedger) -> None:
    HostedRequest.objects.update(request_id="")
    assert post() == 204
    assert ledger.find("1-0") == "r-1"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"rubbish",
        b'{"request_id": 7}',
        b'{"request_id": "../x"}',
        b'{"request_id": ""}',
    ],
)
def test_body_without_an_id_is_taken_and_changes_nothing(post: Post, body: bytes) -> None:
    assert post(body) == 204
    assert not is_finished()


def test_unknown_request_is_answered_as_a_known_one(server: QueueServer, post: Post) -> None:
    assert post(server.told("r-2")) == 204
    assert not is_finished()


def test_ticket_nobody_gave_out_is_not_found_and_asks_for_no_keys(
    server: QueueServer, post: Post
) -> None:
    assert post(ticket="1-1-0.AAAA") == 404
    assert server.calls == []


def test_ticket_of_another_request_changes_nothing_here(post: Post, ledger: JobLedger) -> None:
    assert post(ticket=ledger.ticket("1-1")) == 204
    assert not is_finished()


def test_body_that_was_changed_is_refused(server: QueueServer, post: Post) -> None:
    assert post(server.told("r-1"), server.signed(server.told("r-2"))) == 401
    assert not is_finished()


def test_signature_of_another_key_is_refused(server: QueueServer, post: Post) -> None:
    assert post() == 204
    HostedRequest.objects.update(finished_at=None)
    server.key = Ed25519PrivateKey.generate()
    assert post() == 401
    assert not is_finished()


@pytest.mark.parametrize("name", ["Request-Id", "User-Id", "Timestamp", "Signature"])
@pytest.mark.parametrize("value", ["", "other", "9" * 150, "٣", "0x" + "f" * 126, "x" * 500])
def test_header_that_was_changed_is_refused(
    server: QueueServer, post: Post, name: str, value: str
) -> None:
    body = server.told("r-1")
    assert post(body, {**server.signed(body), f"X-Fal-Webhook-{name}": value}) == 401
    assert not is_finished()


def test_unsigned_call_is_refused_and_asks_for_no_keys(server: QueueServer, post: Post) -> None:
    assert post(headers={}) == 401
    assert server.calls == []


@pytest.mark.parametrize(("off_s", "status"), [(-290, 204), (290, 204), (-320, 401), (320, 401)])
def test_call_is_of_now(server: QueueServer, post: Post, off_s: int, status: int) -> None:
    body = server.told("r-1")
    assert post(body, server.signed(body, at_s=time.time() + off_s)) == status


def test_too_long_a_body_is_refused(
    server: QueueServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_BODY_BYTES", 100)
    assert post(b"x" * 101) == 413
    assert post(b"x" * 100) == 204


def test_get_is_not_allowed(ledger: JobLedger) -> None:
    address = reverse("campaign:webhook", args=[ledger.ticket("1-0")])
    assert Client().get(address).status_code == 405


def test_keys_are_fetched_once(server: QueueServer, post: Post) -> None:
    assert [post() for _ in range(3)] == [204] * 3
    assert server.calls == ["keys"]


def test_rubbish_does_not_make_us_ask_again_and_again(server: QueueServer, post: Post) -> None:
    body = server.told("r-1")
    wrong = {**server.signed(body), "X-Fal-Webhook-Signature": "00" * 64}
    assert [post(body, wrong) for _ in range(4)] == [401] * 4
    assert server.calls == ["keys"]


def test_new_keys_are_fetched_for_a_signature_that_does_not_fit(
    server: QueueServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post() == 204
    server.key = Ed25519PrivateKey.generate()
    monkeypatch.setattr(provider_keys, "AGAIN_S", 0.0)
    assert post() == 204
    assert server.calls == ["keys", "keys"]


@pytest.mark.parametrize("fault", [500, "cut", "html", "junk", "flood", "redirect"])
def test_without_keys_the_provider_is_asked_to_come_again(
    server: QueueServer, post: Post, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["keys"].append(fault)
    assert post() == 503
    assert not is_finished()
    monkeypatch.setattr(provider_keys, "AGAIN_S", 0.0)
    assert post() == 204


def test_keys_that_we_have_outlive_a_fetch_that_fails(
    server: QueueServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post() == 204
    monkeypatch.setattr(provider_keys, "KEEP_S", 0.0)
    monkeypatch.setattr(provider_keys, "AGAIN_S", 0.0)
    server.faults["keys"].append(500)
    assert post() == 204


def test_keys_that_are_old_are_believed_in_no_more(
    server: QueueServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post() == 204
    HostedRequest.objects.update(finished_at=None)
    for name in ("KEEP_S", "AGAIN_S", "TRUST_S"):
        monkeypatch.setattr(provider_keys, name, 0.0)
    server.faults["keys"].append(500)
    assert post() == 503
    assert not is_finished()


def test_keys_that_drip_are_not_waited_for(
    server: QueueServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_keys, "TIMEOUT_S", 0.2)
    server.faults["keys"].append("drip")
    assert post() == 503
    with pytest.raises(TimeoutError):
        server.faults["keys"].append("drip")
        provider_keys.fetch(f"{server.base}/.well-known/jwks.json")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": ["x"]},
        {"keys": [{"crv": "P-256", "x": "AAAA"}]},
        {"keys": [{"crv": "Ed25519", "x": "AAAA"}]},
        {"keys": [{"crv": "Ed25519", "x": 5}]},
    ],
)
def test_set_without_a_key_of_ours_is_none(told: Any) -> None:
    with pytest.raises(ValueError):
        provider_keys.read(json.dumps(told).encode())


def test_address_is_the_worker_s_own(ledger: JobLedger) -> None:
    assert reverse("campaign:webhook", args=[ledger.ticket("1-0")]).startswith("/webhooks/fal/")
    assert hosted.read(ledger.ticket("1-0")) == Ticket(HostedRequest.objects.get().key, 1)
