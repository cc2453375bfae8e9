// Whose turn it is, where, and when: the plan, the rotation and what the crew wants. It judges only;
// the player draws.

import { Plan } from "../lib/plan.js";
import { ENTRANCE_MS, givesWay, ranking } from "../lib/rotation.js";
import { Skips } from "../lib/skips.js";

/** @typedef {import("../lib/feed.js").Item} Item */

/** So early a planned change is made ready; it waits for the frame of its moment, so that all screens
 * of a wall change at once. Less than plan.js counts as begun. */
const LEAD_MS = 80;
/** Until the next try when no picture could be had. */
export const AGAIN_MS = 2000;
/** Between two when empty places are filled: one after another, as dominoes fall, and soon all. */
const FILL_MS = 120;

export class Turns {
  #feed;
  #on;
  #slotMs;
  #now;
  #plan = new Plan();
  #skips = new Skips();
  #still = { isPaused: false, isBlanked: false };
  /** @type {Set<number>} Places that were taken from somebody while nothing is to change. */
  #vacated = new Set();

  /**
   * @param {{feed: import("../lib/feed.js").Feed, on: import("./showings.js").Showings,
   *   slotMs: number, now: () => number}} world `now` is the server's time
   */
  constructor({ feed, on, slotMs, now }) {
    this.#feed = feed;
    this.#on = on;
    this.#slotMs = slotMs;
    this.#now = now;
  }

  // --- what they go by ----------------------------------------------------------------------------

  /** The server's plan. Slots that go on may end at another time by it.
   * @param {import("../lib/plan.js").PlanFrame} frame */
  follow(frame) {
    this.#plan.take(frame);
    for (const place of this.#on.oldestFirst) {
      const on = this.#on.at(place);
      if (on && this.planned(place)?.submission === on.item.submission) {
        on.untilMs = performance.now() + this.slotLeftMs(place);
        on.slotAtMs = this.slotAtMs(on.item, place);
      }
    }
  }

  /** @param {{isPaused: boolean, isBlanked: boolean}} still what the crew wants */
  obey({ isPaused, isBlanked }) {
    this.#still = { isPaused, isBlanked };
    if (!isPaused) this.#vacated.clear();
  }

  /** Places are others now. While nothing is to change, whoever was taken down is followed by nobody. */
  replace() {
    this.#vacated = new Set(this.#vacated.size > 0 ? this.#on.emptyOnes : []);
  }

  /** Whoever is in a place is about to be taken down. @param {string} submission */
  vacate(submission) {
    const place = this.#on.placeOf(submission);
    if (this.#still.isPaused && place !== -1) this.#vacated.add(place);
  }

  /** Leaves a picture out for a while. @param {Item} item @param {boolean} isLate */
  skip({ picture }, isLate) {
    this.#skips.add(picture, performance.now(), { isLate });
  }

  get isPaused() {
    return this.#still.isPaused;
  }

  get isBlanked() {
    return this.#still.isBlanked;
  }

  /** Whether nothing is to change. */
  get isStill() {
    return this.#still.isPaused || this.#still.isBlanked;
  }

  // --- who ----------------------------------------------------------------------------------------

  /** Everyone whose picture may be tried. */
  get playable() {
    return this.#skips.without(this.#feed.items.values(), performance.now());
  }

  /** Who may go up in a place, the best first. @param {number} place */
  ranked(place) {
    const current = this.#on.at(place)?.item.submission ?? null;
    const own = ranking(this.#candidates(place), this.#on.history, current);
    const planned = this.planned(place);
    return planned ? [planned, ...own.filter((item) => item !== planned)] : own;
  }

  /** Who most likely goes up next, and where; null with nobody to follow. */
  get next() {
    const following = this.#plan.next(this.#now(), this.#on.places);
    const own = ranking(this.#waiting, this.#on.history, null);
    const planned = own.find(({ submission }) => submission === following?.submission);
    const item = planned ?? own[0];
    if (!item) return null;
    const { empty } = this.#on;
    const place = planned && following ? following.place : empty === -1 ? this.#nextToChange : empty;
    return { item, place };
  }

  /** Whom the plan wants on now in a place, if they may be shown there. @param {number} place */
  planned(place) {
    const slot = this.#plan.on(this.#now(), place);
    return (slot && this.#candidates(place).find(({ submission }) => submission === slot.submission)) ?? null;
  }

  get #waiting() {
    return this.playable.filter(({ submission }) => this.#on.placeOf(submission) === -1);
  }

  /** Without those who are on in the other places. @param {number} place */
  #candidates(place) {
    return this.playable.filter(({ submission }) => {
      const at = this.#on.placeOf(submission);
      return at === -1 || at === place;
    });
  }

  // --- when ---------------------------------------------------------------------------------------

  /** When the slot began that the plan has somebody in now; null without one.
   * @param {Item} item @param {number} place */
  slotAtMs({ submission }, place) {
    const slot = this.#plan.on(this.#now(), place);
    return slot?.submission === submission ? slot.at_ms : null;
  }

  /** Until the plan's next change of a place, or without a plan a whole slot. @param {number} place */
  slotLeftMs(place) {
    return (this.planned(place) && this.#plan.leftMs(this.#now(), place)) ?? this.#slotMs;
  }

  /** Whether the slot goes on that whoever is on was put up for: the clock was set back a little, and
   * the same showing is no second play. Its end moves with the clock. @param {number} place */
  goesOn(place) {
    const on = this.#on.at(place);
    if (!on || on.slotAtMs === null || this.slotAtMs(on.item, place) !== on.slotAtMs) return false;
    on.untilMs = performance.now() + this.slotLeftMs(place);
    return true;
  }

  /** The place that changes at this moment, or -1: an empty one; for somebody new one that gives
   * way; then the one whose slot is over. Where there are several, one after another. */
  due(nowMs = performance.now()) {
    if (this.#still.isBlanked) return -1;
    if (this.#on.places > 1 && nowMs < this.#on.lastChangeMs + FILL_MS) return -1;
    const waiting = this.#waiting;
    const empty = this.#on.emptyBut(this.#vacated);
    if (empty !== -1 && waiting.length > 0) return empty;
    if (this.#still.isPaused) return -1;
    const isNew = !this.#isPlanned && waiting.some(({ submission }) => !this.#on.history.has(submission));
    const yielding = this.#on.oldestFirst.find((place) => givesWay(this.#on.at(place), nowMs));
    if (isNew && yielding !== undefined) return yielding;
    const next = this.#nextToChange;
    return next !== -1 && this.#changeAtMs(next) <= nowMs ? next : -1;
  }

  /** Until it is worth asking who is due; null while nothing is to change. */
  get waitMs() {
    if (this.isStill) {
      // After a start somebody still has to come; then all stays as it is.
      const isEmpty = !this.#still.isBlanked && this.#on.emptyBut(this.#vacated) !== -1;
      return isEmpty ? AGAIN_MS : null;
    }
    let atMs = this.#changeAtMs(this.#nextToChange);
    const soonMs = this.#on.lastChangeMs + FILL_MS;
    if (this.#on.places > 1 && this.due(soonMs) !== -1) atMs = soonMs;
    const waitMs = Math.max(0, atMs - performance.now());
    // Who could not be had is tried again; and a timer may be early by a part of a millisecond.
    const mostMs = this.#on.empty !== -1 ? AGAIN_MS : Infinity;
    return Math.min(waitMs + 1, mostMs);
  }

  /** Whether there is a plan that says where those who are new come. */
  get #isPlanned() {
    return Array.from({ length: this.#on.places }).some((_, place) => this.planned(place));
  }

  /** Of those with somebody in them, or -1. */
  get #nextToChange() {
    const { oldestFirst } = this.#on;
    const moments = oldestFirst.map((place) => this.#changeAtMs(place));
    return oldestFirst[moments.indexOf(Math.min(...moments))] ?? -1;
  }

  /** When the slot of a place with somebody in it ends. Without a plan changes keep apart, so that a
   * mosaic never turns over at once. @param {number} place */
  #changeAtMs(place) {
    const on = this.#on.at(place);
    if (!on) return Infinity;
    const planned = this.planned(place);
    if (planned) {
      const endMs = on.untilMs - LEAD_MS;
      if (planned.submission === on.item.submission) return endMs; // What follows is a play of its own.
      return on.isRepeat ? Math.min(on.startedMs + ENTRANCE_MS, endMs) : endMs;
    }
    const apart = this.#slotMs / this.#on.places;
    return Math.max(on.startedMs + this.#slotMs, this.#on.lastChangeMs + apart);
  }
}
