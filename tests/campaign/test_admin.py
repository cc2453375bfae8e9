from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
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
    EngineWorker,
    EntryPoint,
    Figurine,
    GenerationJob,
    HostedRequest,
    Keepsake,
    Submission,
    Transition,
)
from tests import shelf

S = SubmissionState

RECORD = (Submission, Transition, Consent, GenerationJob)


@pytest.fixture
def crew(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


@pytest.fixture
def chief(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("chief", password="chief"))
    return client


def changelist(model: type) -> str:
    return reverse(f"admin:campaign_{model.__name__.lower()}_changelist")


def change(row: Any) -> str:
    return reverse(f"admin:campaign_{type(row).__name__.lower()}_change", args=[row.pk])


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


@pytest.mark.parametrize("model", RECORD)
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


# --- campaigns ------------------------------------------------------------------------------------
def fields_of(campaign: Campaign, **changed: str) -> dict[str, str]:
    """The form as a browser sends it back."""
    kept = {
        name: str(getattr(campaign, name))
        for name in (
            *(
                "name",
                "slug",
                "headline",
                "strapline",
                "engine",
                "kit",
                "finish",
                "slot_s",
                "promise_min",
            ),
            *("most_faces", "rerolls", "patience_s", "candidates", "likeness"),
            *(
                "nsfw_hold",
                "nsfw_reject",
                "quality_hold",
                "selfie_retention_h",
                "figurine_retention_days",
            ),
            *("consent_version", "consent_text"),
        )
    }
    empty = {"entry_points-TOTAL_FORMS": "0", "entry_points-INITIAL_FORMS": "0", "theme": "{}"}
    return {**kept, **empty, "engine_options": "{}", **changed}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"theme": '{"--signal": "javascript:1"}'}, "--signal has a value we cannot use."),
        ({"theme": '{"--paper": "#101010"}'}, "--ink cannot be read on --paper."),
        ({"theme": "[1]"}, "A theme is an object of CSS custom properties."),
        ({"theme": "{"}, "Enter a valid JSON."),
        ({"nsfw_hold": "0.9"}, "Must not be above the reject score."),
        ({"selfie_retention_h": "48"}, "Ensure this value is less than or equal to 24."),
    ],
)
def test_campaign_refuses_what_would_break_a_promise(
    crew: Client, campaign: Campaign, changed: dict[str, str], words: str
) -> None:
    answer = crew.post(change(campaign), fields_of(campaign, **changed))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Campaign.objects.values().get() == {
        key: value for key, value in campaign.__dict__.items() if not key.startswith("_")
    }


@pytest.mark.parametrize("nothing", ["", "[]", "null"])
def test_campaign_without_a_theme_has_an_empty_one(
    crew: Client, campaign: Campaign, nothing: str
) -> None:
    assert crew.post(change(campaign), fields_of(campaign, theme=nothing)).status_code == 302
    assert Campaign.objects.get().theme == {}


def test_campaign_takes_a_theme_and_an_entry_point(crew: Client, campaign: Campaign) -> None:
    entry = {
        "entry_points-TOTAL_FORMS": "1",
        "entry_points-0-label": "QR on the square",
        "entry_points-0-code": "square",
        "theme": '{"--signal": "#ff3300"}',
    }
    answer = crew.post(change(campaign), fields_of(campaign, **entry))
    assert answer.status_code == 302
    campaign.refresh_from_db()
    assert campaign.theme == {"--signal": "#ff3300"}
    assert EntryPoint.objects.get().code == "square"
    page = crew.get(change(campaign)).content.decode()
    assert "http://localhost:8000/c/demo/?e=square" in page
    assert page.count("data:image/svg+xml") >= 2, "one QR for the campaign, one for the entry point"


def test_campaign_takes_what_its_producer_ticks(
    crew: Client, campaign: Campaign, library: Path
) -> None:
    ticked = {"kits": ["soldier", "explorer"], "finishes": ["painted", "glow"]}
    answer = crew.post(
        change(campaign), {**fields_of(campaign, kit="explorer", rerolls="0"), **ticked}
    )
    assert answer.status_code == 302
    campaign.refresh_from_db()
    assert (campaign.kits, campaign.finishes) == (ticked["kits"], ticked["finishes"])
    assert (campaign.kit, campaign.rerolls) == ("explorer", 0)
    page = crew.get(change(campaign)).content.decode()
    assert set(re.findall(r'value="(\w+)"[^>]*checked', page)) >= {"soldier", "explorer", "glow"}
    assert "/static/img/kits/soldier-painted.webp" in page


@pytest.mark.parametrize(
    "changed",
    [
        {"kits": ["explorer"]},
        {"finishes": ["glow"]},
        {"kits": ["wizard"]},
        {"kit": "wizard"},
        {"engine": "magic"},
    ],
)
def test_campaign_refuses_an_offer_that_makes_no_sense(
    crew: Client, campaign: Campaign, library: Path, changed: dict[str, Any]
) -> None:
    assert crew.post(change(campaign), fields_of(campaign) | changed).status_code == 200
    campaign.refresh_from_db()
    assert (campaign.kits, campaign.finishes, campaign.kit) == ([], [], "soldier")


def test_campaign_whose_kit_is_gone_can_be_opened_and_mended(
    crew: Client, campaign: Campaign, library: Path
) -> None:
    Campaign.objects.update(kits=["soldier", "wizard"])
    campaign.refresh_from_db()
    page = crew.get(change(campaign)).content.decode()
    assert "Not in the library any more: wizard." in page
    answer = crew.post(change(campaign), {**fields_of(campaign), "kits": ["soldier"]})
    assert (answer.status_code, Campaign.objects.get().kits) == (302, ["soldier"])


def test_campaign_takes_its_engines_and_what_they_are_asked(
    crew: Client, campaign: Campaign
) -> None:
    wanted = {"engine": "klein", "second_engine": "hosted", "patience_s": "12", "candidates": "3"}
    asked = {"engine_options": '{"references": "composite"}', "hourly_budget_usd": "4.50"}
    answer = crew.post(change(campaign), fields_of(campaign, **wanted, **asked))
    assert answer.status_code == 302
    campaign.refresh_from_db()
    assert campaign.engines == ("klein", "hosted", "sculpt")
    assert (campaign.patience_s, campaign.candidates) == (12, 3)
    assert campaign.engine_options == {"references": "composite"}
    assert campaign.hourly_budget_usd == Decimal("4.50")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('{"references": "three"}', "No engine makes that: references must be one of"),
        ('["two"]', "Write it as {&quot;name&quot;: &quot;value&quot;}."),
    ],
)
def test_campaign_refuses_options_that_no_engine_understands(
    crew: Client, campaign: Campaign, options: str, words: str
) -> None:
    fields = fields_of(campaign, engine="klein", engine_options=options)
    answer = crew.post(change(campaign), fields)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    campaign.refresh_from_db()
    assert (campaign.engine, campaign.engine_options) == ("sculpt", {})


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
