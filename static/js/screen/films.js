// Counts what is drawn while films run, and has them rest where the device does not keep up.

import { Rest } from "../lib/rest.js";

const EVERY_MS = 1000;
const KEPT = "diorama.films";

export class Films {
  #now;
  #onRest;
  #rest;
  #frames = 0;
  #lookedMs = performance.now();
  /** @type {Map<HTMLVideoElement, {shown: number, dropped: number}>} as they stood at the last look */
  #running = new Map();
  #fps = 0;

  /**
   * @param {{now: () => number, onRest: (isOn: boolean) => void}} world `now` is the server's time;
   *   `onRest` hears of every change, and once at the beginning
   */
  constructor({ now, onRest }) {
    this.#now = now;
    this.#onRest = onRest;
    this.#rest = new Rest(kept(), now());
    this.#rest.settle(now());
    const frame = () => {
      this.#frames += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    setInterval(() => this.#look(), EVERY_MS);
    addEventListener("resize", () => this.#rest.settle(now()));
    document.addEventListener("visibilitychange", () => this.#rest.settle(now()));
    this.#tell();
  }

  /** Whether figurines stand still because the device drops frames, and what the page draws. */
  get told() {
    return { isResting: this.#rest.isOn, fps: Math.round(this.#fps) };
  }

  #look() {
    const ms = performance.now();
    const seconds = (ms - this.#lookedMs) / 1000;
    this.#fps = this.#frames / seconds;
    this.#frames = 0;
    this.#lookedMs = ms;
    const counted = this.#count();
    if (document.visibilityState !== "visible") return;
    const was = this.#rest.isOn;
    this.#rest.judge({ nowMs: this.#now(), fps: this.#fps, ...counted });
    if (this.#rest.isOn === was) return;
    keep(this.#rest.known);
    this.#tell();
  }

  /** Of films that ran since the last look: one that has just begun counts from the next on. */
  #count() {
    const before = this.#running;
    this.#running = new Map();
    const sum = { films: 0, shown: 0, dropped: 0 };
    for (const film of document.querySelectorAll(".film")) {
      if (!(film instanceof HTMLVideoElement) || film.paused) continue;
      const { totalVideoFrames: shown, droppedVideoFrames: dropped } = film.getVideoPlaybackQuality();
      this.#running.set(film, { shown, dropped });
      const was = before.get(film);
      if (!was || shown < was.shown) continue;
      sum.films += 1;
      sum.shown += shown - was.shown;
      sum.dropped += dropped - was.dropped;
    }
    return sum;
  }

  #tell() {
    document.documentElement.dataset.films = this.#rest.isOn ? "rest" : "run";
    this.#onRest(this.#rest.isOn);
  }
}

/** Unread: whatever lies there. @returns {unknown} */
function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

/** @param {import("../lib/rest.js").Known} known */
function keep(known) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(known));
  } catch {
    // Full or forbidden: after a reload films are tried again.
  }
}
