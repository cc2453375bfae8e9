from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import bookings, commands, planning, proof
from billboard.models import CommandKind, Plan, Screen
from billboard.models.bookings import Booking, BookingKind
from billboard.models.hours import StaleHour
from campaign import lifecycle, retention
from campaign.models import Campaign, Submission
from tests.billboard.booked import book, booked_slots, crowd
from tests.billboard.rows import approved, in_review, recall

K = CommandKind
pytestmark = pytest.mark.django_db
LIST = reverse("admin:billboard_booking_changelist")
ADD = reverse("admin:billboard_booking_add")
FORM = {
    "name": "Acme",
    "kind": "sponsor",
    "one_in": "4",
    "since_at_0": "2026-01-01",
    "since_at_1": "00:00:00",
    "until_at_0": "",
    "until_at_1": "",
    "days": list("0123456"),
    "opens": "",
    "closes": "",
}


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def errors(desk: Client, who: Submission, **words: Any) -> dict[str, list[str]]:
    answer = desk.post(ADD, FORM | {"submission": str(who.pk)} | words)
    if answer.status_code == 302:
        return {}
    found: dict[str, list[str]] = answer.context["adminform"].form.errors
    assert all(one in answer.content.decode() for said in found.values() for one in said)
    return found


def test_desk_books_and_ends(desk: Client, campaign: Campaign, online: Screen) -> None:
    people = crowd(campaign, online, 6)
    planning.ensure(online)
    fields = {"screens": [online.pk], "days": ["4", "5"], "opens": "22:00", "closes": "02:00"}
    assert errors(desk, people[0], **fields) == {}
    booking = Booking.objects.get()
    assert (booking.kind, booking.days, list(booking.screens.all())) == (
        BookingKind.SPONSOR,
        "45",
        [online],
    )
    listed = desk.get(LIST).content.decode()
    words = ("Acme", "1 in 4", "Fri Sat", "22:00\N{EN DASH}02:00", "Runs")
    assert [word for word in words if word not in listed] == []
    change = reverse("admin:billboard_booking_change", args=[booking.pk])
    assert desk.post(change, FORM | {"name": "Acme Ltd"}).status_code == 302
    assert booked_slots(online)
    desk.post(LIST, {"action": "end_now", "_selected_action": [booking.pk]})
    booking.refresh_from_db()
    assert booking.name == "Acme Ltd"
    assert booking.until_at is not None
    assert "Over" in desk.get(LIST).content.decode()
    delete = reverse("admin:billboard_booking_delete", args=[booking.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403


def test_screen_that_is_switched_off_stays_booked(
    desk: Client, campaign: Campaign, online: Screen
) -> None:
    """Without its box the booking would be for every screen of the campaign."""
    names = ("Broadway 2", "Broadway 3")
    booked, other = (Screen.objects.create(campaign=campaign, name=name) for name in names)
    booking = book(approved(campaign), booked)
    Screen.objects.exclude(pk=online.pk).update(is_active=False)
    change = reverse("admin:billboard_booking_change", args=[booking.pk])
    form = desk.get(change).context["adminform"].form
    assert dict(form.fields["screens"].choices) == {
        online.pk: "Diorama Company · Broadway 1",
        booked.pk: "Diorama Company · Broadway 2 (switched off)",
    }
    ticked = {"screens": [one.pk for one in form.initial["screens"]]}
    assert desk.post(change, FORM | ticked).status_code == 302
    assert list(booking.screens.all()) == [booked]
    assert desk.post(change, FORM | {"screens": [other.pk]}).status_code == 200
    assert list(booking.screens.all()) == [booked]


@pytest.mark.parametrize(
    ("words", "planned", "marked"),
    [
        ({"name": "Acme Ltd", "kind": "sponsor"}, False, False),
        ({"one_in": "5"}, True, False),
        ({"until_at_0": "2099-01-01", "until_at_1": "00:00:00"}, True, False),
        ({"until_at_0": "2026-01-02", "until_at_1": "00:00:00"}, True, True),
        ({"since_at_0": "2026-02-01"}, True, True),
        ({"days": ["1", "2"]}, True, True),
        ({"opens": "10:00", "closes": "11:00"}, True, True),
        ({"screens": True}, True, True),
    ],
)
def test_hours_are_counted_anew_where_a_change_may_move_plays(
    desk: Client,
    campaign: Campaign,
    online: Screen,
    words: dict[str, Any],
    planned: bool,
    marked: bool,
) -> None:
    mae = crowd(campaign, online, 1)[0]
    since_at = timezone.make_aware(datetime(2026, 1, 1))
    booking = book(mae, since_at=since_at, one_in=4, kind="sponsor")
    planning.ensure(online)
    proof.roll_up()
    rev = Plan.objects.get().rev
    change = reverse("admin:billboard_booking_change", args=[booking.pk])
    said = {name: [online.pk] if value is True else value for name, value in words.items()}
    assert desk.post(change, FORM | said).status_code == 302
    assert (Plan.objects.get().rev > rev, StaleHour.objects.exists()) == (planned, marked)


def test_mistakes_are_told_beside_their_fields(
    desk: Client, campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    mae = approved(campaign)
    rival = Screen.objects.create(campaign=other_campaign, name="Rival 1")
    gone = approved(campaign)
    recall(gone)
    nobody = (
        "Nobody who may be shown: they were never approved, or are taken down. "
        "Choose somebody who is live."
    )
    assert errors(desk, gone) == {"submission": [nobody]}
    assert errors(desk, in_review(campaign)) == {"submission": [nobody]}
    until = {"until_at_0": "2025-12-31", "until_at_1": "00:00:00"}
    assert errors(desk, mae, **until) == {"until_at": ["The end is before the begin."]}
    assert errors(desk, mae, opens="10:00") == {
        "closes": ["Give both hours, or neither for all day."]
    }
    assert errors(desk, mae, opens="10:00", closes="10:00") == {
        "closes": ["It would end when it begins. Leave both empty for all day."]
    }
    assert errors(desk, mae, days=[]) == {"days": ["Tick a day at least."]}
    assert list(errors(desk, mae, one_in="1")) == ["one_in"]
    assert errors(desk, mae, screens=[rival.pk]) == {
        "screens": ["Rival 1 shows another campaign than theirs."]
    }
    assert not Booking.objects.exists()


def test_more_than_half_cannot_be_booked(
    desk: Client, campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    mae, grace = approved(campaign), approved(campaign)
    book(approved(other_campaign), one_in=2)
    book(mae, name="Morning", one_in=3, opens="06:00", closes="12:00")
    beside = (
        "With Morning more than half of Broadway 1 would be booked. One in 6 is left at that time."
    )
    assert errors(desk, grace, one_in="5") == {"one_in": [beside]}
    assert errors(desk, grace, one_in="5", opens="12:00", closes="06:00") == {}
    assert errors(desk, grace, one_in="6", opens="11:00", closes="12:00") == {}
    nothing = "Half of Broadway 1 is booked by Morning, Acme at that time: nothing is left."
    assert errors(desk, grace, one_in="9", opens="09:00", closes="11:30") == {"one_in": [nothing]}
    # What is booked for somebody who was taken down takes nothing.
    recall(mae)
    assert errors(desk, grace, one_in="5", opens="06:00", closes="10:00") == {}


def test_booking_that_cannot_be_kept_is_told(
    desk: Client, campaign: Campaign, online: Screen, admin_client: Client
) -> None:
    mae = crowd(campaign, online, 2)[0]
    booking = book(mae)
    planning.ensure(online)

    def told() -> tuple[str, ...]:
        [line] = admin_client.get("/admin/").context["promises"]
        troubles: tuple[str, ...] = line.troubles
        return troubles

    assert (bookings.trouble(booking), told()) == ("", ())
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    assert told() == ("Acme: None of its screens is online.",)
    Screen.objects.update(is_active=False)
    assert told() == ("Acme: None of its screens is switched on.",)
    recall(mae)
    words = f"Acme: {mae} is not approved any more: nobody is shown for it."
    assert told() == (words,)
    assert words in admin_client.get("/admin/").content.decode()
    assert "not approved any more" in desk.get(LIST).content.decode()
    bookings.end(booking)
    assert told() == ()


def test_many_bookings_and_screens_take_no_more_queries_than_few(
    desk: Client, campaign: Campaign, online: Screen, django_assert_max_num_queries: Any
) -> None:
    people = crowd(campaign, online, 2)
    book(people[0], online, one_in=100)
    planning.ensure(online)

    def queries() -> list[int]:
        found = []
        for address in (LIST, "/admin/"):
            with django_assert_max_num_queries(100) as seen:
                assert desk.get(address).status_code == 200
            found.append(len(seen))
        return found

    queries()  # what is read once a process
    few = queries()
    for n in range(2, 8):
        more = Screen.objects.create(campaign=campaign, name=f"Broadway {n}")
        book(people[n % 2], online, more, one_in=100, name=f"Sponsor {n}")
    assert queries() == few


def test_booking_on_paused_and_black_screens_alone_is_told(
    campaign: Campaign, online: Screen
) -> None:
    booking = book(approved(campaign))
    words = "Those of its screens that are online are paused or black."
    for kind, back in ((K.PAUSE, K.RESUME), (K.BLANK, K.UNBLANK)):
        commands.ask([online], kind)
        assert bookings.trouble(booking) == words
        commands.ask([online], back)
        assert bookings.trouble(booking) == ""


@pytest.mark.parametrize("way", ["erase", "expire"])
def test_name_of_a_pin_goes_with_the_person(
    desk: Client, campaign: Campaign, online: Screen, way: str
) -> None:
    mae = approved(campaign)
    pin = book(mae, name="Mae turns 40")
    sponsor = book(mae, name="Acme", kind=BookingKind.SPONSOR)
    LogEntry.objects.log_actions(User.objects.get().pk, [pin], 1, single_object=True)
    if way == "erase":
        retention.erase(mae, actor=lifecycle.SYSTEM)
    else:
        retention.purge(now=timezone.now() + timedelta(days=9999))
    said = dict(Booking.objects.values_list("pk", "name"))
    assert said == {pin.pk: "", sponsor.pk: "Acme"}
    assert LogEntry.objects.get().object_repr == f"Booking {pin.pk}"
    page = desk.get(LIST).content.decode()
    assert (f"Booking {pin.pk}" in page, "Mae turns" in page) == (True, False)
