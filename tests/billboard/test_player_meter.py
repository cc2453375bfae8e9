"""What a player says of itself: frames a second, dropped frames, and whether it shows."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.billboard.player import run


def test_frames_a_second_are_the_median_of_the_last_beat(page: Page) -> None:
    body = """
        const meter = new m.Meter({nowMs: 1000});
        const early = meter.fps(1500), told = [];
        let ms = 1000;
        const draw = (seconds, fps) => {
            for (let i = 0; i < seconds * fps; i += 1) meter.drew(ms += 1000 / fps - 0.001);
        };
        draw(4, 60);
        told.push(meter.fps(ms));
        draw(5, 30);
        told.push(meter.fps(ms));
        ms += 4000; // It stalls.
        told.push(meter.fps(ms));
        return [early, told];
    """
    early, told = run(page, "meter", body)
    assert early is None
    assert told[0] == 60
    assert abs(told[1] - 30) <= 1
    assert told[2] == 0


def test_dropped_frames_are_of_all_films_there_were(page: Page) -> None:
    body = """
        class Film {
            n = 0;
            getVideoPlaybackQuality() { return {droppedVideoFrames: this.n}; }
        }
        const film = () => new Film();
        const meter = new m.Meter({nowMs: 0}), one = film(), other = film();
        meter.see([one]);
        one.n = 3;
        meter.see([one, other]);
        other.n = 2;
        meter.see([one, other, {}]);
        meter.see([one, other]);
        return meter.dropped;
    """
    assert run(page, "meter", body) == 5


def test_screen_shows_while_frames_come_on_a_page_that_is_seen_and_full(page: Page) -> None:
    body = """
        const watch = new m.Watch({nowMs: 0});
        const look = (nowMs, how = {}) => {
            const well = {isVisible: true, isBlank: false, heap: null, wall: new Date(0)};
            watch.judge({nowMs, ...well, ...how});
            return watch.isShowing(nowMs);
        };
        watch.drew(1000);
        const said = [look(1000), look(2900), look(3100)];
        watch.drew(3200);
        said.push(look(3200, {isBlank: true})); // As long as a change takes.
        watch.drew(5300);
        said.push(look(5300, {isBlank: true}), look(5400), look(5500, {isVisible: false}));
        return said;
    """
    assert run(page, "watch", body) == [True, True, False, True, False, True, False]
