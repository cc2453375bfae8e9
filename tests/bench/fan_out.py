"""The measuring of tests.bench.screens; Django is set up by whoever imports this."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis
import websockets
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from playwright.async_api import Page, async_playwright

from billboard import feed, pairing
from billboard.models import Screen
from campaign import approval, lifecycle
from campaign.models import Campaign
from tests.bench.crowd import Crowd, Servers, bare_fan_out, servers
from tests.bench.floor import CHANNEL
from tests.billboard.rows import approved, in_review, recall
from tests.browser import chromium_path
from tests.environment import VAR

WITHIN_S = 60
PAUSE_S = 0.5
"""No crew decides faster than it looks; plans and acks of one decision are done before the next."""


def prepare() -> None:
    call_command("migrate", verbosity=0)


async def measure(figures: Any, *, rounds: int, chromiums: int, soak_s: float, people: int) -> None:
    """Fill in `figures`, of tests.bench.screens.Figures. `people` are up all the time."""
    campaign, cookies = await sync_to_async(_set_up)(figures.screens, stand_by=people)
    seen_by, page_cookies = await sync_to_async(_set_up)(chromiums, stand_by=0)
    with servers(VAR, processes=figures.processes) as web:
        seen = web.log.stat().st_size
        empty = web.rss_bytes()
        began = time.perf_counter()
        async with Crowd(web.addresses, cookies) as crowd:
            await crowd.until(lambda s: s.people == people, within_s=WITHIN_S, what="whole")
            figures.whole = time.perf_counter() - began
            figures.connection_kib = (web.rss_bytes() - empty) / figures.screens / 1024
            async with _pages(web, page_cookies) as pages:
                for _ in range(rounds):
                    await _one_round(figures, web, crowd, campaign)
                    if pages:
                        await _one_look(figures, pages, seen_by, crowd, campaign)
            crowd.hang_up()
            began = time.perf_counter()
            await _all_know(crowd, campaign)
            figures.current = time.perf_counter() - began
            if soak_s:
                figures.grown_percent = await _soak(web, crowd, campaign, for_s=soak_s)
        figures.refused = web.log.read_text()[seen:][-2000:]
    figures.floor += await _floor(figures.screens, rounds)


async def _one_round(figures: Any, web: Servers, crowd: Crowd, campaign: Campaign) -> None:
    submission = await sync_to_async(in_review)(campaign)
    await asyncio.sleep(PAUSE_S)
    cpu_s = web.cpu_s()
    here = {screen: screen.seq for screen in crowd.screens}
    # 1. Up
    began = time.perf_counter()
    await sync_to_async(approval.approve)(submission, actor=lifecycle.SYSTEM)
    figures.approving.append(time.perf_counter() - began)
    # Without a look at the record, which would be work of the same process.
    await crowd.until(lambda s: s.seq != here[s], within_s=WITHIN_S, what="received")
    figures.received += [screen.places[screen.seq] - began for screen in crowd.screens]
    # 2. Down
    await asyncio.sleep(PAUSE_S)
    key = str(submission.pk)
    began = time.perf_counter()
    await sync_to_async(recall)(submission)
    await crowd.until(lambda s: key in s.dark, within_s=WITHIN_S, what="dark")
    figures.dark += [screen.dark[key] - began for screen in crowd.screens]
    figures.cpu_ms.append(1000 * (web.cpu_s() - cpu_s))


async def _one_look(
    figures: Any, pages: list[Page], seen_by: Campaign, crowd: Crowd, campaign: Campaign
) -> None:
    """Somebody new where nobody is, while the crowd hears of somebody else."""
    seen = await sync_to_async(in_review)(seen_by)
    other = await sync_to_async(in_review)(campaign)
    began = time.perf_counter()
    looking = [asyncio.create_task(_shows(page, str(seen.pk))) for page in pages]
    await sync_to_async(approval.approve)(other, actor=lifecycle.SYSTEM)
    await sync_to_async(approval.approve)(seen, actor=lifecycle.SYSTEM)
    figures.shown += [at - began for at in await asyncio.gather(*looking)]
    await sync_to_async(recall)(seen)
    await sync_to_async(recall)(other)
    await asyncio.gather(*(_shows(page, "") for page in pages))
    await _all_know(crowd, campaign)


async def _shows(page: Page, hero: str) -> float:
    deadline = time.perf_counter() + WITHIN_S
    while await page.locator("html").get_attribute("data-hero") != hero:
        assert time.perf_counter() < deadline, "not on a page"
        await asyncio.sleep(0.01)
    return time.perf_counter()


async def _soak(web: Servers, crowd: Crowd, campaign: Campaign, *, for_s: float) -> float:
    """Somebody comes and goes all the time; the first tenth is to warm up. In percent."""
    began, warm = time.perf_counter(), 0
    while (over_s := time.perf_counter() - began) < for_s:
        if not warm and over_s > for_s / 10:
            warm = web.rss_bytes()
        submission = await sync_to_async(approved)(campaign)
        await asyncio.sleep(0.5)
        await sync_to_async(recall)(submission)
        await asyncio.sleep(0.5)
    return 100 * (web.rss_bytes() / warm - 1)


async def _all_know(crowd: Crowd, campaign: Campaign) -> None:
    place = await sync_to_async(feed.head)(campaign.pk)
    await crowd.until(lambda s: place.seq in s.places, within_s=WITHIN_S, what="current")


def _set_up(screens: int, *, stand_by: int) -> tuple[Campaign, list[str]]:
    campaign = Campaign.objects.create(slug=uuid.uuid4().hex[:12], name="Bench Company")
    tokens = [
        pairing.issue_token(Screen(campaign=campaign, name=f"Screen {n}")) for n in range(screens)
    ]
    for _ in range(stand_by):
        approved(campaign)
    return campaign, [f"{pairing.COOKIE}={token}" for token in tokens]


@asynccontextmanager
async def _pages(web: Servers, cookies: list[str]) -> AsyncIterator[list[Page]]:
    if not cookies:
        yield []
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        pages = []
        for cookie in cookies:
            url = f"http://127.0.0.1:{web.ports[0]}"
            context = await browser.new_context(viewport={"width": 640, "height": 360})
            name, value = cookie.split("=", 1)
            await context.add_cookies([{"name": name, "value": value, "url": url}])
            page = await context.new_page()
            await page.goto(f"{url}/screen/")
            await page.wait_for_selector('html[data-socket="open"]', timeout=30_000)
            pages.append(page)
        yield pages
        await browser.close()


async def _floor(screens: int, rounds: int) -> list[float]:
    """The same frame, from Valkey to sockets that do nothing else."""
    bell = redis.Redis.from_url(settings.CHANNEL_URL)
    frame = await sync_to_async(_a_frame)()
    took: list[float] = []
    with bare_fan_out(VAR, url=settings.CHANNEL_URL) as address:
        sockets = await asyncio.gather(
            *(
                websockets.connect(address, ping_interval=None, compression=None, proxy=None)
                for _ in range(screens)
            )
        )

        async def heard(socket: Any) -> float:
            json.loads(await socket.recv())
            return time.perf_counter()

        for _ in range(rounds):
            listening = [asyncio.create_task(heard(socket)) for socket in sockets]
            await asyncio.sleep(0.05)
            began = time.perf_counter()
            bell.publish(CHANNEL, frame)
            took += [at - began for at in await asyncio.gather(*listening)]
        await asyncio.gather(*(socket.close() for socket in sockets))
    return took


def _a_frame() -> str:
    """What screens hear of one approval."""
    campaign = Campaign.objects.latest("pk")
    here = feed.head(campaign.pk)
    approved(campaign)
    return json.dumps(feed.since(campaign.pk, here).as_json())
