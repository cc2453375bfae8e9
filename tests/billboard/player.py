"""The player's modules in the engine that runs them, and what a server would say to them.

The feed and the pictures are real ones; the stage only notes.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, Page, Route

STATIC = settings.BASE_DIR / "static"


def serve(route: Route) -> None:
    """A blank page, and everything under static/js."""
    path = route.request.url.removeprefix("http://player.test/")
    if path.endswith(".js"):
        route.fulfill(body=(STATIC / path).read_bytes(), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html>", content_type="text/html")


def blank(browser: Browser) -> Page:
    """A page that may import everything under static/js, with a disk of its own."""
    page = browser.new_page()
    page.route("**/*", serve)
    page.goto("http://player.test/")
    return page


def run(page: Page, module: str, body: str, *given: Any) -> Any:
    """Evaluate `body` with the exports of a module as `m` and the given values as `g`."""
    code = f"async (g) => {{ const m = await import('/js/lib/{module}.js'); {body} }}"
    return page.evaluate(code, list(given))


def item(name: str, seq: int) -> dict[str, Any]:
    return {
        "submission": name,
        "figurine": 1,
        "seq": seq,
        "number": seq,
        "plaque": name,
        "approved_at": f"2026-11-22T12:00:{seq:02}Z",
        "picture": f"/media/{name}",
        "clip": None,
    }


ABC = [item("A", 1), item("B", 2), item("C", 3)]


def moving(of: dict[str, Any]) -> dict[str, Any]:
    """The same showing of the same figurine, with a clip."""
    name = of["submission"]
    return {**of, "clip": {"mp4": f"/media/{name}.mp4", "webm": f"/media/{name}.webm"}}


ABC = [item("A", 1), item("B", 2), item("C", 3)]


def snapshot(seq: int, *items: dict[str, Any], epoch: str = "e") -> dict[str, Any]:
    return {"type": "snapshot", "epoch": epoch, "seq": seq, "items": list(items)}


def first_part(seq: int, up: list[int], *items: dict[str, Any]) -> dict[str, Any]:
    """A snapshot that goes on after its last item."""
    return {**snapshot(seq, *items), "up": up, "more": items[-1]["figurine"]}


def rest(after: int, *items: dict[str, Any], more: int | None = None) -> dict[str, Any]:
    return {"type": "rest", "epoch": "e", "after": after, "items": list(items), "more": more}


def changes(after: int, seq: int, *parts: Any, epoch: str = "e") -> dict[str, Any]:
    """Each part is an item to add, or (name, seq) to remove."""
    said = [
        {"seq": part["seq"], "submission": part["submission"], "item": part}
        if isinstance(part, dict)
        else {"seq": part[1], "submission": part[0], "item": None}
        for part in parts
    ]
    return {"type": "changes", "epoch": epoch, "after": after, "seq": seq, "changes": said}


def now_moving(seq: int, of: dict[str, Any]) -> dict[str, Any]:
    """A frame that says so at this place of the log."""
    frame = changes(seq - 1, seq, moving(of))
    frame["changes"][0]["seq"] = seq
    return frame


PLAYER = """
    const {Feed} = await import('/js/lib/feed.js');
    const {Pictures} = await import('/js/lib/pictures.js');
    const asked = [], acks = [], shown = [];
    let missing = 0;
    const answers = {hangs: (_, {signal}) => new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)))};
    const fetch = async (address, how) => {
        asked.push(address.replace('/media/', ''));
        const answer = answers[address.replace('/media/', '')];
        if (answer === 'gone') return new Response('', {status: 404});
        return answer ? answers[answer](address, how) : new Response('bytes');
    };
    const measure = async () => ({aspect: 1, solid: {left: 0, top: 0, width: 1, height: 1}});
    const stage = {
        layout: {name: 'hero', kind: 'hero', places: 1, small: {columns: 3, rows: 1}, steps: false},
        tally: () => {}, divide: () => {}, prepare: async (item) => item.submission,
        show: (name) => shown.push(name),
        discard: () => {}, remove: (name) => shown.push(`-${name}`), lay: async () => () => {},
        animate: async (name, url) => shown.push(`${name} moves ${url.slice(0, 4)}`),
    };
    const clips = new Pictures({fetch, measure: async () => ({}), address: ({clip}) => clip.mp4});
    const feed = new Feed();
    let player = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips, stage,
        slotMs: 60_000, now: () => Date.now(), ack: (ack) => acks.push(ack),
        onMissing: () => missing++});
    const take = (frame) => player.take(feed.apply(frame));
    const until = async (isTrue) => {
        while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20));
    };
"""


def play(page: Page, body: str, *given: Any) -> Any:
    return run(page, "../screen/player", PLAYER + body, *given)
