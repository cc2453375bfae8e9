from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import booking_pins, bookings, nudges, planning, plays, proof, proof_export
from billboard.models import Layout, Plan, Screen, Wall
from billboard.models.bookings import Booking, BookingKind
from billboard.models.hours import PlayHour
from billboard.proof_export import Wanted
from billboard.protocol import Acks, Shown
from billboard.slots import Pin
from campaign.models import Campaign
from tests.billboard.booked import book, booked_slots, crowd
from tests.billboard.rows import approved, is_somebody_waiting, recall
from tests.stack import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


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
