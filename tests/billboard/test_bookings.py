from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import (
    booking_pins,
    bookings,
    commands,
    nudges,
    planning,
    plays,
    proof,
    proof_export,
)
from billboard.models import CommandKind, Layout, Plan, Screen, Wall
from billboard.models.bookings import Booking, BookingKind
from billboard.models.hours import PlayHour
from billboard.proof_export import Wanted
from billboard.protocol import Acks, Shown
from billboard.slots import Pin
from campaign import lifecycle, retention
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, in_review, is_somebody_waiting, recall
from tests.stack import wait_until

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
def online(screen: Screen) -> Screen:
    Screen.objects.update(last_seen_at=timezone.now(), layout=Layout.HERO)
    return Screen.objects.select_related("campaign").get(pk=screen.pk)


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def crowd(campaign: Campaign, screen: Screen, many: int) -> list[Submission]:
    """People who have been on already, so that nobody's first showing is in the way."""
    people = [approved(campaign, plaque=f"P{n}") for n in range(many)]
    for one in people:
        assert one.figurine
        shown = Shown(uuid4(), one.pk, one.figurine.pk, 1, timezone.now(), 1)
        plays.record(screen, Acks(1, (shown,)))
    return people


def book(who: Submission, *screens: Screen, **words: Any) -> Booking:
    words = {"name": "Acme", "one_in": 2, "since_at": timezone.now() - timedelta(days=1)} | words
    booking = Booking.objects.create(submission=who, **words)
    booking.screens.set(screens)
    bookings.changed(booking, since_at=booking.since_at)
    return booking


def booked_slots(screen: Screen) -> list[str]:
    slots = planning.ensure(screen).slots[screen.pk]
    return [slot.key for slot in slots if slot.kind == "pin"]


def test_booked_one_has_their_share_of_the_first_place(campaign: Campaign, online: Screen) -> None:
    people = crowd(campaign, online, 12)
    book(people[0], one_in=4)
    slots = planning.ensure(online).slots[online.pk]
    pinned = [slot for slot in slots if slot.kind == "pin"]
    assert {slot.key for slot in pinned} == {str(people[0].pk)}
    assert len(pinned) == pytest.approx(len(slots) / 4, abs=2)


def test_booking_changes_the_plan_at_once_and_so_does_its_end(
    campaign: Campaign, online: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = crowd(campaign, online, 6)
    before = planning.ensure(online)
    assert booked_slots(online) == []
    booking = book(people[0])
    made = planning.ensure(online)
    assert made.rev > before.rev
    assert str(people[0].pk) in booked_slots(online)
    bookings.end(booking)
    now_ms = timezone.now().timestamp() * 1000
    slots = planning.ensure(online).slots[online.pk]
    assert [slot for slot in slots if slot.kind == "pin" and slot.at_ms > now_ms] == []


def test_screens_are_called_when_a_booking_changes(
    campaign: Campaign,
    online: Screen,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    called: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(nudges, "call", lambda of, *, screens: called.append((of, screens)))
    who = approved(campaign)
    with django_capture_on_commit_callbacks(execute=True):
        book(who)
    assert called == [(campaign.pk, [online.pk])]


def test_plan_that_is_being_made_without_a_booking_is_not_taken(
    campaign: Campaign, online: Screen
) -> None:
    people = crowd(campaign, online, 6)
    before = planning.ensure(online)
    book(people[0])
    Plan.objects.update(rev=before.rev + 1)
    planning._make(online, before, timezone.now())
    assert Plan.objects.get().booked == []
    assert booked_slots(online)


def test_recall_beats_a_booking(campaign: Campaign, online: Screen) -> None:
    people = crowd(campaign, online, 6)
    book(people[0])
    assert str(people[0].pk) in booked_slots(online)
    recall(people[0])
    made = planning.ensure(online)
    assert str(people[0].pk) not in {slot.key for slot in made.slots[online.pk]}
    frame = planning.frame(made, online)
    assert str(people[0].pk) not in {slot.submission for slot in frame.slots}
    assert len({slot.submission for slot in frame.slots}) == 5


def test_booking_is_for_its_screens_alone(campaign: Campaign, online: Screen) -> None:
    other = Screen.objects.create(
        campaign=campaign, name="Broadway 2", last_seen_at=timezone.now(), layout=Layout.HERO
    )
    people = crowd(campaign, online, 6)
    book(people[0], other)
    made = planning.ensure(online)
    kinds = {pk: {slot.kind for slot in slots} for pk, slots in made.slots.items()}
    assert ("pin" in kinds[online.pk], "pin" in kinds[other.pk]) == (False, True)


def test_booking_of_another_campaign_is_in_no_plan(
    campaign: Campaign, other_campaign: Campaign, online: Screen
) -> None:
    crowd(campaign, online, 6)
    rival = approved(other_campaign)
    book(rival)
    made = planning.ensure(online)
    assert str(rival.pk) not in {slot.key for slot in made.slots[online.pk]}
    assert booked_slots(online) == []


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ({}, True),
        ({"since_at": timezone.now() + timedelta(days=1)}, False),
        ({"opens": "10:00", "closes": "11:00"}, True),
        ({"opens": "11:00", "closes": "10:00"}, False),
        ({"opens": "23:00", "closes": "10:31"}, True),
        ({"days": "4"}, True),
        ({"days": "012356"}, False),
        # Over midnight it is still Thursday's.
        ({"opens": "23:00", "closes": "10:31", "days": "3"}, True),
        ({"opens": "23:00", "closes": "10:31", "days": "4"}, False),
    ],
)
def test_booking_holds_on_its_days_and_hours(
    campaign: Campaign, words: dict[str, Any], holds: bool
) -> None:
    friday = timezone.make_aware(datetime(2026, 11, 27, 10, 30))
    booking = book(approved(campaign), **{"since_at": friday - timedelta(days=30)} | words)
    booking.refresh_from_db()
    pin = booking_pins.pin_of(booking)
    now_ms = booking_pins.ms(friday)
    assert pin.hold(now_ms, booking_pins.rules_of(friday)) is holds


def test_clock_of_a_booking_is_the_installations(campaign: Campaign) -> None:
    at = datetime(2026, 11, 27, 3, 30, tzinfo=timezone.get_fixed_timezone(0))  # Thursday, 22:30
    pin = Pin("a", 0.1, booking_pins._hours(None, None), frozenset({3}))
    with timezone.override("America/New_York"):
        assert pin.hold(booking_pins.ms(at), booking_pins.rules_of(at))


# --- the desk -------------------------------------------------------------------------------------


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


# --- proof ----------------------------------------------------------------------------------------


def test_plays_are_counted_under_their_booking(
    desk: Client, campaign: Campaign, screen: Screen
) -> None:
    mae, grace = approved(campaign), approved(campaign)
    at = timezone.now() - timedelta(hours=3)
    for who in (mae, grace):
        assert who.figurine
        shown = Shown(uuid4(), who.pk, who.figurine.pk, 1, at, 8000, "hero")
        plays.record(screen, Acks(1, (shown,)))
    proof.roll_up()
    booking = book(mae, kind=BookingKind.SPONSOR)
    proof.roll_up()
    counted = PlayHour.objects.order_by("booking").values_list("booking", "plays")
    assert set(counted) == {(None, 1), (booking.pk, 1)}
    for by in ("hour", "play"):
        lines = b"".join(proof_export.pieces(Wanted(by=by, format="jsonl"))).decode()
        told = [json.loads(line) for line in lines.splitlines()]
        assert {(one["booking_id"], one["booking"], one["booking_kind"]) for one in told} == {
            (None, "", ""),
            (booking.pk, "Acme", "sponsor"),
        }
    day = {"day": f"{timezone.localtime(at):%Y-%m-%d}"}
    page = desk.get(reverse("admin:billboard_play_hours"), day)
    assert [(one.name, one.kind, one.plays) for one in page.context["booked"]] == [
        ("Acme", "Sponsor", 1)
    ]
    assert "Acme" in page.content.decode()
    # An end that lies before the play takes it away again.
    Booking.objects.update(until_at=at - timedelta(minutes=1))
    bookings.changed(booking, since_at=booking.since_at)
    proof.roll_up()
    row = PlayHour.objects.get()
    assert (row.booking, row.plays) == (None, 2)


def test_screen_of_a_wall_stands_for_the_whole_wall(campaign: Campaign, online: Screen) -> None:
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    for name in ("Left", "Right"):
        Screen.objects.create(
            campaign=campaign,
            name=name,
            wall=wall,
            layout=Layout.HERO,
            last_seen_at=timezone.now(),
        )
    left, right = Screen.objects.filter(wall=wall)
    people = crowd(campaign, online, 6)
    book(people[0], right)
    made = planning.ensure(online)
    kinds = {pk: "pin" in {slot.kind for slot in slots} for pk, slots in made.slots.items()}
    assert kinds == {online.pk: False, left.pk: True, right.pk: True}
    assert made.slots[left.pk] == made.slots[right.pk]


def test_hours_follow_a_screen_that_goes_to_another_campaign(
    campaign: Campaign, other_campaign: Campaign, screen: Screen, admin_client: Client
) -> None:
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    beside = Screen.objects.create(campaign=campaign, name="North 2", wall=wall)
    Screen.objects.filter(pk=screen.pk).update(wall=wall)
    mae, at = approved(campaign), timezone.now() - timedelta(hours=3)
    assert mae.figurine
    shown = Shown(uuid4(), mae.pk, mae.figurine.pk, 1, at, 8000, "hero")
    plays.record(beside, Acks(1, (shown,)))
    book(mae, screen, since_at=at - timedelta(hours=1))
    proof.roll_up()
    assert PlayHour.objects.get().booking is not None
    address = reverse("admin:billboard_screen_change", args=[beside.pk])
    form = admin_client.get(address).context["adminform"].form
    said = {name: value for name, value in form.initial.items() if value is not None}
    said |= {"campaign": other_campaign.pk, "wall": "", "words": "[]"}
    assert admin_client.post(address, said).status_code == 302
    proof.roll_up()
    assert PlayHour.objects.get().booking is None


@pytest.mark.django_db(transaction=True)
def test_hour_that_is_being_counted_when_something_is_booked_is_counted_again(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    mae, at = approved(campaign), timezone.now()
    assert mae.figurine
    shown = Shown(uuid4(), mae.pk, mae.figurine.pk, 1, at, 8000, "hero")
    plays.record(screen, Acks(1, (shown,)))
    count, failures = proof.count, list[BaseException]()
    threads: list[threading.Thread] = []

    def book_it() -> None:
        try:
            book(mae, screen, since_at=at - timedelta(hours=1))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def counts_while_somebody_books(*given: Any) -> list[PlayHour]:
        found = count(*given)
        threads.append(threading.Thread(target=book_it))
        threads[0].start()
        if connection.vendor == "postgresql":  # SQLite's one writer lets nobody in between
            wait_until(is_somebody_waiting, within_s=10, what="the booking waits for the hour")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(proof, "count", counts_while_somebody_books)
        proof.roll_up()
    threads[0].join()
    assert failures == []
    proof.roll_up()
    assert [row.booking is not None for row in PlayHour.objects.all()] == [True]


def test_hours_follow_a_wall_that_changes(
    desk: Client, campaign: Campaign, screen: Screen, admin_client: Client
) -> None:
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    beside = Screen.objects.create(campaign=campaign, name="North 2")
    mae, at = approved(campaign), timezone.now() - timedelta(hours=3)
    assert mae.figurine
    shown = Shown(uuid4(), mae.pk, mae.figurine.pk, 1, at, 8000, "hero")
    plays.record(beside, Acks(1, (shown,)))
    book(mae, screen, since_at=at - timedelta(hours=1))

    def counted() -> list[int]:
        proof.roll_up()
        return list(PlayHour.objects.filter(booking__isnull=False).values_list("plays", flat=True))

    def hang(one: Screen, on: Wall | None) -> None:
        address = reverse("admin:billboard_screen_change", args=[one.pk])
        form = admin_client.get(address).context["adminform"].form
        said = {name: value for name, value in form.initial.items() if value is not None}
        said |= {"wall": on.pk if on else "", "words": "[]"}
        assert admin_client.post(address, said).status_code == 302

    assert counted() == []
    hang(screen, wall)
    hang(beside, wall)
    assert counted() == [1]
    hang(beside, None)
    assert counted() == []
    hang(beside, wall)
    assert counted() == [1]
    wall.delete()
    assert counted() == []
