"""Pictures of screens that are refused: whose content, header or sender is not right."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from billboard import captures, feed, pairing
from billboard.models import Capture, CaptureKind
from campaign.models import Campaign
from tests.billboard.captured import ADDRESS, Send, drawn, kept_files
from tests.billboard.test_hostile import anything

pytestmark = pytest.mark.usefixtures("no_captures")


HOSTILE = {
    "nothing": (b"", 415),
    "words": (b"<svg onload=alert(1)>", 400),
    "half": (drawn()[:60], 400),
    "gif": (drawn(kind="GIF"), 400),
    "bomb": (drawn((1001, 1000), "PNG"), 413),
    "long": (drawn() + b"\0" * 80_000, 413),
}


@pytest.mark.parametrize("picture", HOSTILE)
def test_hostile_picture_is_refused(campaign: Campaign, send: Send, picture: str) -> None:
    content, status = HOSTILE[picture]
    assert send(picture=content).status_code == status
    assert (Capture.objects.count(), kept_files()) == (0, [])


SOMEBODY = "0b9a3a8e-0000-4000-8000-000000000001"


def one(submission: str, seq: object) -> str:
    return f'{{"kind": "glance", "on": [{{"submission": "{submission}", "seq": {seq}}}]}}'


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"kind": "glance"}',
        '{"kind": "glance", "on": {}}',
        '{"kind": "film", "on": []}',
        '{"kind": ["glance"], "on": []}',
        '{"kind": "glance", "on": [1]}',
        one("x", 1),
        '{"kind": "glance", "on": [{"submission": 7, "seq": 1}]}',
        one(SOMEBODY, -1),
        one(SOMEBODY, "1e400"),
        one(SOMEBODY, '"x"'),
        one(SOMEBODY, 1).replace("[", "[" + "{}," * 64),
        "[" * 7000,
        " " * 8001,
    ],
)
def test_header_that_says_nothing_is_refused(campaign: Campaign, token: str, header: str) -> None:
    client = Client()
    client.cookies[pairing.COOKIE] = token
    headers = {"Diorama-Capture": header}
    answer = client.post(ADDRESS, drawn(), content_type="image/webp", headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"code": "bad_capture"})


def test_who_may_post(campaign: Campaign, send: Send) -> None:
    assert send(Origin="https://elsewhere.example").json() == {"code": "other_site"}
    assert send(Origin="http://testserver").status_code == 204
    assert send(content_type="application/x-www-form-urlencoded").status_code == 415
    assert Client().post(ADDRESS, drawn(), content_type="image/webp").status_code == 403


@settings(max_examples=60, deadline=None)
@given(
    header=st.text()
    | anything.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "kind": st.sampled_from(CaptureKind.values) | anything,
            "on": st.lists(
                st.fixed_dictionaries(
                    {"submission": st.uuids().map(str) | anything, "seq": anything},
                    optional={"is_first": anything},
                )
                | anything,
                max_size=3,
            ),
        }
    ).map(json.dumps)
)
def test_header_of_anything_is_understood_or_refused(header: str) -> None:
    try:
        told = captures.parse(header)
    except captures.Refused as refusal:
        assert (refusal.code, refusal.status) == ("bad_capture", 400)
    else:
        assert all(0 <= one.seq <= feed.SEQ_MAX for one in told.on)
