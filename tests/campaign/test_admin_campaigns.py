"""A campaign in the admin: what it takes, and what it refuses."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaign.models import Campaign, EntryPoint
from tests.campaign.admin_pages import change


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
