"""The page on which a figurine is turned around, stood on a table and taken to a printer."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertRedirects

from campaign.enums import SubmissionState
from campaign.models import Campaign, Figurine, Keepsake, Submission
from tests import shelf
from tests.campaign.test_views import heading
from tests.campaign.test_views_status import put

S = SubmissionState


@pytest.fixture
def up(campaign: Campaign) -> Submission:
    """Approved, with a figurine of an engine that has geometry."""
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    Figurine.objects.update(
        recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted", "plaque": "MAE"}
    )
    return Submission.objects.get(pk=submission.pk)


def about_turn(submission: Submission) -> str:
    return reverse("campaign:about-turn", args=[submission.token])


def solid(submission: Submission, kind: str, **words: str) -> Keepsake:
    """One that is there, with its kind for a file."""
    made = Keepsake(figurine=submission.figurines.get(), kind=kind, outcome="done", **words)
    made.file.save(f"figurine.{kind}", ContentFile(kind.encode()), save=False)
    made.save()
    return made


def test_about_turn_is_found_from_the_approved_page_and_asks_for_a_cast(
    client: Client, up: Submission
) -> None:
    page = client.get(reverse("campaign:status", args=[up.token])).content.decode()
    assert f'href="{about_turn(up)}">Turn it</a>' in page
    answer = client.get(about_turn(up))
    assert heading(answer) == "About turn"
    page = answer.content.decode()
    assert 'name="kind" value="glb">Cast it</button>' in page
    assert "data-model" not in page
    assertRedirects(client.post(about_turn(up), {"kind": "glb"}), about_turn(up))
    assert Keepsake.objects.get().is_open
    page = client.get(about_turn(up)).content.decode()
    assert "In the mould" in page


def test_about_turn_answers_a_script_with_what_became_of_it(client: Client, up: Submission) -> None:
    said = {"Accept": "application/json"}
    answers = [
        client.post(about_turn(up), {"kind": kind}, headers=said)
        for kind in ("stl", "stl", "clip", "cake", "")
    ]
    assert [answer.status_code for answer in answers] == [202, 200, 422, 422, 422]
    Submission.objects.update(selfie_purge_at=timezone.now())
    gone = client.post(about_turn(up), {"kind": "glb"}, headers=said)
    assert (gone.status_code, gone.json()["code"]) == (410, "selfie_gone")


def test_about_turn_hands_out_what_is_there(client: Client, up: Submission) -> None:
    solid(up, "glb")
    solid(up, "stl")
    page = client.get(about_turn(up)).content.decode()
    (model,) = re.findall(r'data-model="([^"]+)"', page)
    assert model.endswith("/diorama-00001-mae.glb")
    answer = client.get(model)
    assert (answer.content, answer["Content-Type"]) == (b"glb", "model/gltf-binary")
    (copy,) = re.findall(r'href="([^"]+\.stl)"', page)
    answer = client.get(copy)
    assert (answer.content, answer["Content-Type"]) == (b"stl", "model/stl")
    assert answer["Content-Disposition"] == 'attachment; filename="diorama-00001-mae.stl"'


def test_about_turn_without_the_selfie_says_why_there_is_none(
    client: Client, up: Submission
) -> None:
    Submission.objects.update(selfie_purge_at=timezone.now())
    page = client.get(about_turn(up)).content.decode()
    assert "Your selfie is deleted already, as promised." in page
    assert "<button" not in page
    page = client.get(reverse("campaign:status", args=[up.token])).content.decode()
    assert "Your selfie is deleted, as promised." in page
    assert "Turn it" not in page


@pytest.mark.parametrize("state", sorted(set(S) - {S.APPROVED}))
def test_about_turn_of_what_is_not_up_leads_back(client: Client, up: Submission, state: S) -> None:
    put(up, state)
    assertRedirects(client.get(about_turn(up)), reverse("campaign:status", args=[up.token]))


def test_about_turn_of_a_campaign_that_hands_nothing_out_leads_back(
    client: Client, up: Submission
) -> None:
    Campaign.objects.update(offers_models=False, offers_prints=False)
    assertRedirects(client.get(about_turn(up)), reverse("campaign:status", args=[up.token]))
    assert client.post(about_turn(up), {"kind": "glb"}).status_code == 404
    Campaign.objects.update(offers_prints=True)
    answer = client.get(about_turn(up))
    assert heading(answer) == "Print it"
    assert 'value="stl">Print file</button>' in answer.content.decode()
    assert 'value="glb"' not in answer.content.decode()


def test_viewers_policy_is_the_pages_own_and_fits_the_viewer(
    client: Client, up: Submission
) -> None:
    """A new version of the viewer brings a new sheet, and with it a new hash."""
    (told,) = Path("static/vendored").glob("model-viewer-*.min.js")
    (sheet,) = re.findall(r"<style>(.*?)</style>", told.read_text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    # The directives come in any order.
    policy = client.get(about_turn(up))["Content-Security-Policy"] + ";"
    assert f"style-src 'self' 'sha256-{digest}'" in policy
    assert "script-src 'self';" in policy
    status = client.get(reverse("campaign:status", args=[up.token]))
    other = status["Content-Security-Policy"] + ";"
    assert ("sha256" in other, "connect-src 'self';" in other) == (False, True)
    assert told.name in client.get(about_turn(up)).content.decode()
