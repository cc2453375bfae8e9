"""The record in the admin, who may see what of it, and the way around."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaign import lifecycle
from campaign.enums import SubmissionState
from campaign.models import (
    Campaign,
    Consent,
    ConsentText,
    EngineWorker,
    Figurine,
    GenerationJob,
    HostedRequest,
    Keepsake,
    Submission,
    Transition,
)
from tests import shelf
from tests.campaign.admin_pages import change, changelist

S = SubmissionState

RECORD = (Submission, Transition, Consent, GenerationJob)


# --- keepsakes ------------------------------------------------------------------------------------
def test_keepsakes_are_told_on_the_submissions_page_and_in_their_list(
    crew: Client, campaign: Campaign
) -> None:
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    figurine = submission.figurines.get()
    clip = Keepsake(figurine=figurine, kind="clip", outcome="done")
    clip.file.save("clip.mp4", ContentFile(b"film"), save=False)
    clip.save()
    Keepsake.objects.create(figurine=figurine, kind="stl", outcome="failed", error_code="not_solid")
    page = crew.get(change(submission)).content.decode()
    (film,) = re.findall(r'<video src="([^"]+)"', page)
    assert b"".join(crew.get(film)) == b"film"
    assert "Print file: Failed" in page
    assert "not_solid" in page
    listed = crew.get(changelist(Keepsake)).content.decode()
    assert listed.count("MAE") == 2
    assert crew.get(change(clip)).status_code == 200


def test_keepsakes_files_are_for_those_who_review(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    clip = Keepsake(figurine=submission.figurines.get(), kind="clip", outcome="done")
    clip.file.save("clip.mp4", ContentFile(b"film"), save=False)
    clip.save()
    user = User.objects.create_user("ana", password="ana", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client.force_login(user)
    assert "<video" not in client.get(change(submission)).content.decode()


def test_switches_of_what_is_taken_home_are_on_the_campaigns_page(
    chief: Client, campaign: Campaign
) -> None:
    page = chief.get(change(campaign)).content.decode()
    for switch in ("makes_clips", "offers_models", "offers_prints"):
        assert f'name="{switch}"' in page


# --- the record is read only ----------------------------------------------------------------------
@pytest.mark.parametrize("model", RECORD)
def test_record_is_shown_to_the_last_page(chief: Client, campaign: Campaign, model: Any) -> None:
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    assert b"MAE" in chief.get(changelist(model)).content
    rows = [submission] if model is Submission else model.objects.filter(submission=submission)
    for row in rows:
        assert chief.get(change(row)).status_code == 200


def test_words_that_people_agreed_to_are_shown_to_the_last(
    chief: Client, campaign: Campaign
) -> None:
    shelf.put(campaign, S.APPROVED)
    text = ConsentText.objects.get()
    assert campaign.consent_lines[0] in chief.get(changelist(ConsentText)).content.decode()
    page = unescape(chief.get(change(text)).content.decode())
    assert all(word in page for word in campaign.terms.splitlines())


@pytest.mark.parametrize("model", [*RECORD, ConsentText])
def test_record_is_never_added_changed_or_deleted_even_by_a_superuser(
    chief: Client, campaign: Campaign, model: Any
) -> None:
    shelf.put(campaign, S.APPROVED, plaque="MAE")
    row = model.objects.first()
    before = list(model.objects.values())
    named = f"admin:campaign_{model.__name__.lower()}"
    assert chief.get(reverse(f"{named}_add")).status_code == 403
    assert chief.post(reverse(f"{named}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert chief.post(change(row), {"plaque": "EVE"}).status_code == 403
    chief.post(changelist(model), {"action": "delete_selected", "_selected_action": [row.pk]})
    assert list(model.objects.values()) == before


@pytest.mark.parametrize("model", [Campaign, User])
def test_what_the_record_names_is_never_deleted(
    chief: Client, campaign: Campaign, model: Any
) -> None:
    row = model.objects.first()
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
    assert chief.post(url, {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_figurines_are_reached_through_their_submission_alone() -> None:
    assert Figurine not in admin.site._registry


def test_submission_page_tells_what_happened(
    crew: Client, campaign: Campaign, moderator: User
) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    Transition.objects.create(
        submission=submission,
        from_state=S.APPROVED,
        to_state=S.RECALLED,
        actor=moderator,
        actor_kind="crew",
        reason="producer",
        note="before the interval",
    )
    page = crew.get(change(submission)).content.decode()
    for words in ("Waiting for review", "Recalled", "producer", "before the interval", "2026-11"):
        assert words in page


def test_decision_that_moved_nothing_is_told_too(chief: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.REVIEW)
    lifecycle.note(submission, actor=lifecycle.SYSTEM, reason="no_face", note="klein failed")
    page = chief.get(change(submission)).content.decode()
    assert "Waiting for review, as before" in page
    assert "no_face" in page and "klein failed" in page
    rows = chief.get(changelist(Transition)).content.decode()
    (to,) = re.findall(r'data-label="To">(.*?)</td>', rows.partition("klein failed")[0], re.S)[:1]
    assert to.strip() == "-"


def test_faces_are_shown_only_to_who_may_review(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.HELD, plaque="MAE")
    clerk = User.objects.create_user("clerk", password="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client.force_login(clerk)
    thumb = reverse("admin:campaign_submission_thumb", args=[submission.pk, 160])
    for may in (False, True):
        if may:
            clerk.user_permissions.add(Permission.objects.get(codename="review_submission"))
        listed = client.get(changelist(Submission)).content.decode()
        told = client.get(change(submission)).content.decode()
        assert ("MAE" in listed, "MAE" in told) == (True, True)
        assert (thumb in listed, "/media/" in told) == (may, may)


@pytest.mark.parametrize("search", ["No. 00,002", "2", "ellen"])
def test_submission_is_found_by_number_and_name(
    crew: Client, campaign: Campaign, search: str
) -> None:
    shelf.put(campaign, plaque="MAE")
    shelf.put(campaign, plaque="ELLEN")
    page = crew.get(changelist(Submission), {"q": search}).content
    assert (b"No. 00,002 ELLEN" in page, b"MAE" in page) == (True, False)


@pytest.mark.parametrize("model", [*RECORD, Campaign])
def test_list_asks_as_much_for_three_as_for_one(
    crew: Client, campaign: Campaign, model: Any
) -> None:
    counted = []
    for more in (1, 2):
        for _ in range(more):
            shelf.put(campaign, S.APPROVED)
        with CaptureQueriesContext(connection) as found:
            crew.get(changelist(model))
        counted.append(len(found))
    assert counted[0] == counted[1]


def test_retry_action_needs_the_desk_permission(client: Client, campaign: Campaign) -> None:
    failed = shelf.put(campaign, S.FAILED)
    clerk = User.objects.create_user("clerk", password="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client.force_login(clerk)
    asked = {"action": "retry_failed", "_selected_action": [str(failed.pk)]}
    client.post(changelist(Submission), asked)
    failed.refresh_from_db()
    assert failed.state == S.FAILED
    clerk.user_permissions.add(Permission.objects.get(codename="review_submission"))
    client.post(changelist(Submission), asked)
    failed.refresh_from_db()
    assert failed.state == S.QUEUED
    assert failed.transitions.order_by("-id")[0].actor == clerk


# --- the way around -------------------------------------------------------------------------------
def test_first_page_leads_to_the_desk(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    shelf.put(campaign, S.APPROVED)
    page = crew.get(reverse("admin:index")).content.decode()
    assert reverse("admin:campaign_submission_review") in page
    assert page.count('data-count="waiting">1<') == 2, "in the sidebar and as the main thing"


def test_first_page_tells_how_each_engine_stands(crew: Client, campaign: Campaign) -> None:
    vitals = {"host": "box", "pid": 7, "device": "NVIDIA H100", "peak_bytes": 11_200_000_000}
    EngineWorker.objects.create(
        node="worker-gpu-0@box", engine="klein", state="ready", beat_at=timezone.now(), **vitals
    )
    EngineWorker.objects.create(
        node="worker-hosted@box",
        engine="hosted",
        state="ready",
        beat_at=timezone.now() - timedelta(minutes=5),
        host="box",
        pid=8,
    )
    page = crew.get(reverse("admin:index")).content.decode()
    assert re.search(r"klein</th><td\s*>Ready</td><td>worker-gpu-0@box</td>", page)
    assert "<td>NVIDIA H100</td><td>11.2 GB</td>" in page
    assert re.search(r'hosted</th><td class="is-bad">Silent since \d\d:\d\d</td>', page)


def test_first_page_tells_what_hosted_figurines_have_cost(crew: Client, campaign: Campaign) -> None:
    page = crew.get(reverse("admin:index")).content.decode()
    assert "Hosted figurines" not in page
    submission = shelf.put(campaign)
    Campaign.objects.update(second_engine="hosted", hourly_budget_usd="0.10", budget_usd="50")
    HostedRequest.objects.create(
        job=submission.jobs.get(), key="k", endpoint="e", cost_usd=Decimal("0.095")
    )
    page = crew.get(reverse("admin:index")).content.decode()
    assert '<td class="is-bad">0.10 of 0.10 USD</td>' in page
    assert "<td >0.10 of 50.00 USD</td>" in page  # its own budget is far from spent
    told = crew.get(change(campaign)).content.decode()
    assert "0.10 USD in the last hour, 0.10 USD in all" in told


def test_first_page_hides_the_desk_from_others(client: Client, campaign: Campaign) -> None:
    clerk = User.objects.create_user("clerk", password="clerk", is_staff=True)
    client.force_login(clerk)
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert reverse("admin:campaign_submission_review") not in page.content.decode()


def test_admin_policy_allows_unfold_and_no_other_host(crew: Client, db: None) -> None:
    policy = crew.get(reverse("admin:index"))["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"].split() == ["'self'", "'unsafe-eval'"]
    assert rules["default-src"] == "'none'"
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/"])
def test_admin_pages_load_nothing_from_elsewhere(crew: Client, path: str) -> None:
    page = crew.get(path, follow=True).content.decode()
    assert "//fonts." not in page
    assert 'src="http' not in page
    assert 'rel="stylesheet" href="http' not in page


@pytest.mark.parametrize("model", ["user", "group"])
def test_accounts_wear_the_same_clothes(chief: Client, model: str) -> None:
    page = chief.get(reverse(f"admin:auth_{model}_add"))
    assert page.status_code == 200
    assert "unfold/css/styles.css" in page.content.decode()
