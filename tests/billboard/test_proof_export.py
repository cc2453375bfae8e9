from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billboard import proof, proof_export
from billboard.models import Play, Screen
from billboard.proof_export import Wanted
from campaign.models import Campaign
from tests.billboard.rows import approved

AT = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)
EXPORT = reverse("admin:billboard_play_export")
HOURS = reverse("admin:billboard_play_hours")
DAY = {"since": "2026-11-26", "until": "2026-11-26", "by": "play", "format": "csv"}


def shown(screen: Screen, seconds: int, duration_ms: int | None = 8000) -> Play:
    submission = approved(screen.campaign)
    return Play.objects.create(
        play_id=uuid4(),
        screen=screen,
        submission=submission,
        figurine=submission.figurines.get(),
        seq=1,
        layout="hero",
        started_at=AT + timedelta(seconds=seconds),
        duration_ms=duration_ms,
        reported_at=AT + timedelta(minutes=5),
    )


def whole(wanted: Wanted) -> str:
    return b"".join(proof_export.pieces(wanted)).decode()


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def test_line_of_a_play_says_all_but_who(campaign: Campaign, screen: Screen) -> None:
    play = shown(screen, 0)
    with timezone.override("America/New_York"):
        assert whole(Wanted()) == (
            "play_id,started_at,shown_s,end_heard,screen_id,screen,campaign,layout,item,figurine_id,"
            "reported_at,booking_id,booking,booking_kind\r\n"
            f"{play.play_id},2026-11-26T13:00:00.000-05:00,8.0,true,{screen.pk},Broadway 1,demo,"
            f"hero,1,{play.figurine_id},2026-11-26T13:05:00.000-05:00,,,\r\n"
        )


def test_line_of_an_hour_tells_ends_apart(campaign: Campaign, screen: Screen) -> None:
    shown(screen, 0)
    shown(screen, 90, duration_ms=None)
    proof.begin_anew()
    [line] = map(json.loads, whole(Wanted(by="hour", format="jsonl")).splitlines())
    assert line == {
        "hour_at": "2026-11-26T18:00:00.000+00:00",
        "screen_id": screen.pk,
        "screen": "Broadway 1",
        "campaign": "demo",
        "layout": "hero",
        "plays": 2,
        "plays_end_heard": 1,
        "plays_end_not_heard": 1,
        "shown_s": 8.0,
        "people": 2,
        "first_at": "2026-11-26T18:00:00.000+00:00",
        "last_at": "2026-11-26T18:01:30.000+00:00",
        "booking_id": None,
        "booking": "",
        "booking_kind": "",
    }


def test_pieces_are_read_one_by_one_and_miss_nobody(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(proof_export, "PLAYS_A_PIECE", 3)
    # Several at once, as the cells of a mosaic are, over the seam of two pieces.
    told = {str(shown(screen, seconds).play_id) for seconds in (5, 5, 5, 5, 5, 1, 9, 9)}
    pieces = proof_export.pieces(Wanted(format="jsonl"))
    check: DjangoAssertNumQueries = django_assert_num_queries
    lines: list[dict[str, Any]] = []
    for many, queries in ((3, 4), (3, 2), (2, 2)):  # screens, bookings; plays, and of whom they are
        with check(queries):
            piece = [json.loads(line) for line in next(pieces).splitlines()]
        assert len(piece) == many
        lines += piece
    assert next(pieces, None) is None
    assert {line["play_id"] for line in lines} == told
    assert [line["started_at"] for line in lines] == sorted(line["started_at"] for line in lines)


def test_plays_are_of_one_campaign_and_of_these_moments(
    screen: Screen, other_campaign: Campaign
) -> None:
    shown(Screen.objects.create(campaign=other_campaign, name="Rival 1"), 5)
    plays = [shown(screen, seconds) for seconds in (0, 5, 10)]
    wanted = Wanted(since=plays[1].started_at, until=plays[2].started_at, campaign="demo")
    rows = list(csv.DictReader(io.StringIO(whole(wanted))))
    assert [row["play_id"] for row in rows] == [str(plays[1].play_id)]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "＝"])  # noqa: RUF001
def test_spreadsheet_works_nothing_out(campaign: Campaign, begin: str) -> None:
    name = f'{begin}HYPERLINK("http://evil.example","Broadway")'
    shown(Screen.objects.create(campaign=campaign, name=name), 0)
    proof.begin_anew()
    for by in ("play", "hour"):
        [row] = csv.DictReader(io.StringIO(whole(Wanted(by=by)), newline=""))
        assert row["screen"] == f"'{name}"
        [line] = map(json.loads, whole(Wanted(by=by, format="jsonl")).splitlines())
        assert line["screen"] == name


def test_desk_downloads_a_day(desk: Client, screen: Screen, other_campaign: Campaign) -> None:
    play = shown(screen, 0)
    shown(screen, 24 * 3600)
    shown(Screen.objects.create(campaign=other_campaign, name="Rival 1"), 5)
    answer = desk.get(EXPORT, DAY | {"campaign": "demo"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert (
        answer["Content-Disposition"]
        == 'attachment; filename="demo-plays-2026-11-26-2026-11-26.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["play_id"] for row in rows] == [str(play.play_id)]


@pytest.mark.django_db(transaction=True)
def test_server_sends_piece_after_piece(
    screen: Screen, moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ASGI, where what is no async iterator is gathered first."""
    monkeypatch.setattr(proof_export, "PLAYS_A_PIECE", 2)
    plays = [shown(screen, seconds) for seconds in range(3)]
    client = AsyncClient()
    client.force_login(moderator)

    async def read() -> list[int]:
        answer: Any = await client.get(EXPORT, DAY | {"format": "jsonl"})
        assert answer.is_async
        return [len(piece.splitlines()) async for piece in answer]

    assert async_to_sync(read)() == [2, 1]
    assert len(plays) == 3


def test_days_the_wrong_way_round_are_told_beside_the_field(desk: Client, screen: Screen) -> None:
    answer = desk.get(EXPORT, DAY | {"until": "2026-11-25"})
    assert answer.status_code == 422
    assert answer.context["form"].errors == {"until": ["That is before the first day."]}
    assert "That is before the first day." in answer.content.decode()
    assert desk.get(EXPORT, {"since": "soon"}).status_code == 422


def test_page_shows_a_day_by_its_hours(desk: Client, screen: Screen) -> None:
    for seconds, duration_ms in ((0, 30_000), (60, None), (3600, 30_000)):
        shown(screen, seconds, duration_ms)
    proof.begin_anew()
    page = desk.get(HOURS, {"day": "2026-11-26"})
    [day] = page.context["days"]
    assert (day.plays, day.minutes, day.people, day.unended) == (3, "1.0", 3, 1)
    assert [(n, cell.plays, cell.shade) for n, cell in enumerate(day.cells) if cell.plays] == [
        (18, 2, 5),
        (19, 1, 3),
    ]
    assert "Broadway 1" in page.content.decode()
    assert desk.get(HOURS, {"day": "2026-11-27"}).context["days"] == []
    assert desk.get(HOURS, {"day": "2026-99-99"}).status_code == 200


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "0026-11-26"])
def test_year_that_cannot_be_is_told(desk: Client, screen: Screen, day: str) -> None:
    shown(screen, 0)
    proof.begin_anew()
    words = "Is the year right? Days are from 2000 to 2099."
    page = desk.get(HOURS, {"day": day})
    assert (page.status_code, page.context["day"]) == (422, timezone.localdate())
    assert words in page.content.decode()
    for field in ("since", "until"):
        answer = desk.get(EXPORT, DAY | {field: day})
        assert answer.status_code == 422
        assert words in answer.context["form"].errors[field]
    with pytest.raises(CommandError, match="is no day or moment"):
        call_command("plays", "export", "--since", day)


def test_years_without_a_play_are_one_step(
    screen: Screen, django_assert_max_num_queries: Any
) -> None:
    for days in (0, 9000):
        shown(screen, -days * 86_400)
    proof.begin_anew()
    proof.roll_up()
    since, until = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    with django_assert_max_num_queries(25):
        assert [len(rows) for rows in proof.hours(since=since, until=until)] == [1, 1]


def test_hours_to_be_counted_are_read_at_once(
    campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    for n in range(8):
        shown(Screen.objects.create(campaign=campaign, name=f"Broadway {n}"), n * 3600)
    proof.begin_anew()
    with django_assert_max_num_queries(14):
        assert sum(row.plays for rows in proof.hours() for row in rows) == 8


def test_day_on_which_clocks_are_put_back_has_25_hours(desk: Client, screen: Screen) -> None:
    with timezone.override("Europe/Berlin"):
        page = desk.get(HOURS, {"day": "2026-10-25"})
    assert [at.hour for at in page.context["hours"]][1:5] == [1, 2, 2, 3]
    assert len(page.context["hours"]) == 25


@pytest.mark.parametrize("address", [HOURS, EXPORT])
def test_proof_is_for_those_who_may_see_plays(client: Client, address: str, db: None) -> None:
    user = User.objects.create_user("porter", is_staff=True)
    client.force_login(user)
    assert client.get(address, DAY).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_play"))
    assert client.get(address, DAY).status_code == 200
    assert client.post(address, DAY).status_code == 405


def test_command_exports_what_the_desk_does(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(screen, 0)
    shown(screen, 24 * 3600)
    days = ("--since", "2026-11-26", "--until", "2026-11-26", "--campaign", "demo")
    call_command("plays", "rollup", "--all")
    assert capsys.readouterr().out == "2 hours counted\n"
    for by in ("play", "hour"):
        call_command("plays", "export", *days, "--by", by, "--format", "jsonl")
        [line] = map(json.loads, capsys.readouterr().out.splitlines())
        assert line["screen"] == "Broadway 1"
    call_command("plays", "export", "--since", "2026-11-27T18:00:00Z", "--by", "hour")
    assert len(list(csv.reader(io.StringIO(capsys.readouterr().out)))) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--campaign", "nowhere"), "No campaign has the address nowhere."),
        (("--since", "yesterday"), "yesterday is no day or moment: write 2026-11-27."),
        (("--until", "2026-13-01"), "2026-13-01 is no day or moment: write 2026-11-27."),
        (("--since", "2026-11-27", "--until", "2026-11-26"), "The end is before the begin."),
    ],
)
def test_command_says_what_it_cannot_do(db: None, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as failed:
        call_command("plays", "export", *words)
    assert str(failed.value) == said
