"""The wall of what is live, and its thumbs."""

from __future__ import annotations

import io

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from campaign.enums import SubmissionState
from campaign.models import Campaign, Submission
from tests import shelf
from tests.campaign.desk_pages import WALL, names, queue

S = SubmissionState


# --- the wall -----------------------------------------------------------------------------------
def test_wall_shows_what_is_approved_newest_first(
    crew: Client, campaign: Campaign, elsewhere: Campaign
) -> None:
    for name in ("FIRST", "SECOND"):
        shelf.put(campaign, S.APPROVED, plaque=name)
    for state in (S.RECALLED, S.REVIEW, S.REJECTED):
        shelf.put(campaign, state, plaque="NOT")
    shelf.put(elsewhere, S.APPROVED, plaque="THERE")
    assert names(crew.get(WALL).json()["cards"]) == ["THERE", "SECOND", "FIRST"]
    assert names(crew.get(WALL, {"campaign": "demo"}).json()["cards"]) == ["SECOND", "FIRST"]


@pytest.mark.parametrize("search", ["2", "No. 00,002", "no. 2", "secon"])
def test_wall_finds_by_number_and_name(crew: Client, campaign: Campaign, search: str) -> None:
    for name in ("FIRST", "SECOND"):
        shelf.put(campaign, S.APPROVED, plaque=name)
    assert names(crew.get(WALL, {"q": search}).json()["cards"]) == ["SECOND"]


@pytest.mark.parametrize("width_px", [160, 480])
def test_thumb_is_a_small_jpeg_of_the_figurine(
    crew: Client, campaign: Campaign, width_px: int
) -> None:
    shelf.put(campaign)
    (card,) = queue(crew)["cards"]
    answer = crew.get(card["thumb_url" if width_px == 160 else "wall_url"])
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.width) == ("JPEG", width_px)
        shade = image.convert("RGB").getpixel((4, 4))
    assert isinstance(shade, tuple)
    assert abs(shade[0] - 40) < 8, "the figurine's own shade, not the selfie"


def test_thumb_is_kept_by_no_cache(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    (card,) = queue(crew)["cards"]
    assert "no-store" in crew.get(card["thumb_url"])["Cache-Control"]


def test_selfie_past_its_day_never_shows(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    Submission.objects.update(selfie_purge_at=timezone.now())
    (card,) = queue(crew)["cards"]
    assert card["selfie_url"] == ""
    assert crew.get(card["thumb_url"]).status_code == 404


def test_thumb_of_any_other_width_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    url = reverse("admin:campaign_submission_thumb", args=[submission.pk, 4000])
    assert crew.get(url).status_code == 404
