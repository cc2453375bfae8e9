from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import feed, pairing, plays
from billboard.models import Feed, FeedEntry, Screen, Stint
from billboard.protocol import Acks, Done, Here
from campaign import approval, lifecycle
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, recall

pytestmark = pytest.mark.django_db


def hung(campaign: Campaign, name: str, *, seen_s_ago: float = 1) -> Screen:
    screen = Screen.objects.create(campaign=campaign, name=name)
    pairing.pair(screen, f"token of {name}")
    seen_at = timezone.now() - timedelta(seconds=seen_s_ago)
    Screen.objects.filter(pk=screen.pk).update(last_seen_at=seen_at)
    return screen


def up_an_hour(campaign: Campaign) -> Submission:
    submission = approved(campaign)
    FeedEntry.objects.update(created_at=timezone.now() - timedelta(hours=1))
    return submission


def went_dark(screen: Screen, submission: Submission) -> None:
    place = feed.head(screen.campaign_id)
    plays.record(screen, Acks(1, (Done(True, submission.pk, place),)))


def whereabouts(desk: Client, submission: Submission) -> tuple[list[str], list[str]]:
    address = reverse("admin:campaign_submission_whereabouts", args=[submission.pk])
    told = desk.get(address).json()
    return told["screens"], told["away"]


def leave(desk: Client, screen: Screen, how: str, to: Campaign) -> None:
    address = reverse("admin:billboard_screen_change", args=[screen.pk])
    form = desk.get(address).context["adminform"].form
    said = {name: value for name, value in form.initial.items() if value is not None}
    said |= {"words": "[]", "is_active": "on"}
    if how == "moved":
        said["campaign"] = to.pk
    elif how == "switched off":
        del said["is_active"]
    else:
        said["billboard_screen_unpair"] = "1"
    assert desk.post(address, said).status_code == 302


@pytest.fixture
def desk(client: Client, moderator: object) -> Client:
    client.force_login(moderator)  # type: ignore[arg-type]
    return client


def test_screens_that_have_not_said_that_they_are_dark_are_named(
    desk: Client, campaign: Campaign, other_campaign: Campaign
) -> None:
    one, other = hung(campaign, "Broadway 1"), hung(campaign, "Broadway 2")
    hung(other_campaign, "Rival")
    Screen.objects.filter(pk=hung(campaign, "Off").pk).update(is_active=False)
    mae = approved(campaign)
    assert whereabouts(desk, mae) == ([], [])
    recall(mae)
    assert whereabouts(desk, mae) == (["Broadway 1", "Broadway 2"], [])
    went_dark(one, mae)
    assert whereabouts(desk, mae) == (["Broadway 2"], [])
    went_dark(other, mae)
    assert whereabouts(desk, mae) == ([], [])


def test_screen_that_is_away_is_named_if_it_may_hold_them(desk: Client, campaign: Campaign) -> None:
    hung(campaign, "Long gone", seen_s_ago=7200)
    mae = up_an_hour(campaign)
    hung(campaign, "Alley", seen_s_ago=60)
    recall(mae)
    assert whereabouts(desk, mae) == ([], ["Alley"])


@pytest.mark.parametrize("how", ["moved", "switched off", "unpaired"])
@pytest.mark.parametrize("is_away", [True, False])
def test_screen_that_was_away_when_it_left_is_named_until_it_is_heard(
    desk: Client, campaign: Campaign, other_campaign: Campaign, how: str, is_away: bool
) -> None:
    """It plays its shelf on; one that was there was told to go dark."""
    mae = up_an_hour(campaign)
    alley = hung(campaign, "Alley", seen_s_ago=60 if is_away else 1)
    leave(desk, alley, how, other_campaign)
    leave(desk, hung(other_campaign, "Rival", seen_s_ago=60), how, campaign)
    recall(mae)
    named = ["Alley"] if is_away else []
    if how == "moved":
        named.append("Rival")  # it is of this campaign now, and was heard since they went up
    assert whereabouts(desk, mae) == ([], named)
    if how == "unpaired":
        pairing.admit("token of Alley")
    else:
        plays.heard(alley, Here(feed.head(other_campaign.pk), "1", 8, 9))
    assert "Alley" not in whereabouts(desk, mae)[1]


@pytest.mark.parametrize("how", ["paired", "linked", "moved, then paired", "unpaired, then paired"])
@pytest.mark.parametrize("is_away", [True, False])
def test_browser_that_was_away_when_another_took_its_place_is_named_until_it_is_refused(
    desk: Client, campaign: Campaign, other_campaign: Campaign, how: str, is_away: bool
) -> None:
    mae = up_an_hour(campaign)
    alley = hung(campaign, "Alley", seen_s_ago=60 if is_away else 1)
    first, _, then = how.partition(", then ")
    if then:
        leave(desk, alley, first, other_campaign)
    alley.refresh_from_db()
    if how == "linked":
        pairing.issue_token(alley)
    else:
        pairing.pair(alley, "another")
    recall(mae)
    plays.heard(alley, Here(feed.head(alley.campaign_id), "1", 8, 9))
    named = ["Alley (its browser before)"] if is_away else []
    assert whereabouts(desk, mae) == ([], named)
    pairing.admit("somebody else's")
    assert whereabouts(desk, mae) == ([], named)
    pairing.admit("token of Alley")
    assert whereabouts(desk, mae) == ([], [])


def test_link_that_no_browser_opened_is_no_browser(desk: Client, campaign: Campaign) -> None:
    """Somebody issued it, and then paired by the letters on the screen."""
    mae, alley = up_an_hour(campaign), hung(campaign, "Alley", seen_s_ago=60)
    alley.refresh_from_db()
    pairing.issue_token(alley)
    pairing.pair(alley, "another")
    recall(mae)
    plays.heard(alley, Here(feed.head(alley.campaign_id), "1", 8, 9))
    assert whereabouts(desk, mae) == ([], ["Alley (its browser before)"])
    pairing.admit("token of Alley")
    assert whereabouts(desk, mae) == ([], [])


def test_browser_that_opened_a_link_is_named_though_its_token_was_not_renewed(
    desk: Client, campaign: Campaign
) -> None:
    alley = hung(campaign, "Alley", seen_s_ago=7200)
    key = pairing.issue_token(alley)
    Stint.objects.update(until_at=timezone.now() - timedelta(hours=1.5))
    mae = up_an_hour(campaign)
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    alley.refresh_from_db()
    pairing.pair(alley, "another")
    recall(mae)
    plays.heard(alley, Here(feed.head(alley.campaign_id), "1", 8, 9))
    assert whereabouts(desk, mae) == ([], ["Alley (its browser before)"])
    pairing.admit(key)
    assert whereabouts(desk, mae) == ([], [])


def test_browser_that_the_crew_says_is_gone_is_named_no_more(
    desk: Client, campaign: Campaign, other_campaign: Campaign
) -> None:
    """By whom is on the screen's history. Another that was the same screen is still named."""
    mae, alley = up_an_hour(campaign), hung(campaign, "Alley", seen_s_ago=60)
    leave(desk, alley, "unpaired", campaign)
    alley.refresh_from_db()
    pairing.pair(alley, "another")
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(seconds=40))
    leave(desk, alley, "moved", other_campaign)
    leave(desk, alley, "unpaired", other_campaign)
    recall(mae)
    page = reverse("admin:billboard_screen_change", args=[alley.pk])
    first, second = desk.get(page).context["lost"]
    address = reverse("admin:billboard_screen_gone", args=[alley.pk])
    assert desk.get(address).status_code == 405
    rival = hung(other_campaign, "Rival")
    elsewhere = reverse("admin:billboard_screen_gone", args=[rival.pk])
    for said in ("", "x", "9" * 30):
        assert desk.post(address, {"browser": said}).status_code == 302
    desk.post(elsewhere, {"browser": first.pk})
    assert desk.get(page).context["lost"] == [first, second]
    for browser, left in ((second, [first]), (first, [])):
        assert whereabouts(desk, mae) == ([], ["Alley"])
        assert desk.post(address, {"browser": browser.pk}).status_code == 302
        assert desk.get(page).context["lost"] == left
    assert whereabouts(desk, mae) == ([], [])
    said_by = LogEntry.objects.filter(change_message__contains="is gone").values_list("user")
    assert list(said_by) == 2 * [(User.objects.get(username="mod").pk,)]


def test_only_who_may_change_screens_says_that_a_browser_is_gone(
    client: Client, campaign: Campaign
) -> None:
    alley = hung(campaign, "Alley", seen_s_ago=60)
    client.force_login(User.objects.create_user("guest", password="guest", is_staff=True))
    address = reverse("admin:billboard_screen_gone", args=[alley.pk])
    assert client.post(address, {"browser": 1}).status_code == 403


@pytest.mark.parametrize("is_settled", [False, True])
def test_browser_that_shows_the_token_before_is_known(
    desk: Client, campaign: Campaign, is_settled: bool
) -> None:
    """Its power went before the new one was on its disk. Once that was used, others have it."""
    mae, alley = up_an_hour(campaign), hung(campaign, "Alley", seen_s_ago=60)
    Screen.objects.update(token_at=timezone.now() - pairing.RENEW_AFTER)
    assert pairing.renew("token of Alley")
    Screen.objects.update(is_settled=is_settled)
    alley.refresh_from_db()
    pairing.unpair(alley)
    recall(mae)
    assert whereabouts(desk, mae) == ([], ["Alley"])
    pairing.admit("token of Alley")
    assert whereabouts(desk, mae) == ([], ["Alley"] if is_settled else [])


def test_screen_that_left_before_they_went_up_is_not_named(
    desk: Client, campaign: Campaign, other_campaign: Campaign
) -> None:
    leave(desk, hung(campaign, "Alley", seen_s_ago=60), "moved", other_campaign)
    mae = approved(campaign)
    recall(mae)
    assert whereabouts(desk, mae) == ([], [])


def test_screen_that_is_past_the_removal_need_not_say_so(desk: Client, campaign: Campaign) -> None:
    """It was told all there is, when it came back; of those not in it it says nothing."""
    screen, mae = hung(campaign, "Broadway 1"), approved(campaign)
    recall(mae)
    plays.heard(screen, Here(feed.head(campaign.pk), "1", 8, 9))
    assert whereabouts(desk, mae) == ([], [])


def test_screen_in_a_newer_epoch_need_not_say_so(desk: Client, campaign: Campaign) -> None:
    old, new, mae = hung(campaign, "Old"), hung(campaign, "New"), approved(campaign)
    recall(mae)
    plays.heard(old, Here(feed.Place(feed.head(campaign.pk).epoch, 1), "1", 8, 9))
    Feed.objects.update(epoch=uuid4(), head=0)
    plays.heard(new, Here(feed.head(campaign.pk), "1", 8, 9))
    assert whereabouts(desk, mae) == (["Old"], [])


def test_screen_that_has_been_away_since_before_they_came_again_is_named(
    desk: Client, campaign: Campaign
) -> None:
    """It may hold them from the first time."""
    alley, mae = hung(campaign, "Alley"), approved(campaign)
    FeedEntry.objects.update(created_at=timezone.now() - timedelta(hours=1))
    Screen.objects.filter(pk=alley.pk).update(last_seen_at=timezone.now() - timedelta(minutes=1))
    recall(mae)
    approval.undo(mae, actor=lifecycle.SYSTEM)
    mae.refresh_from_db()
    approval.approve(mae, actor=lifecycle.SYSTEM)
    recall(mae)
    assert whereabouts(desk, mae) == ([], ["Alley"])
