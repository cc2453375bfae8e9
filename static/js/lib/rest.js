// Whether the device carries films: it is told what was drawn, and judges. Pure.

/**
 * @typedef {{nowMs: number, fps: number, films: number, shown: number, dropped: number}} Sample
 *   of about a second: `fps` of the page, `films` that ran all along, and of their frames those that
 *   were due (`shown`) and those of them that were not drawn
 * @typedef {{untilMs: number, rests: number}} Known what is kept for the next start
 */

/** Below it the eye sees steps. Under cinema's rate: an output of 23.976 Hz draws no more, and is well. */
const FPS_LEAST = 20;
/** Of a film's frames; fewer are not seen from the street. */
const DROPPED_MOST = 0.25;
/** A stall of four seconds is none: a start, a collection of garbage, another size. */
const WINDOW = 8;
const BAD_MOST = 4;
/** What is drawn while things begin says nothing. */
const SETTLE_MS = 2000;
/** How long films rest, longer each time. */
const RESTS_MS = [60_000, 300_000, 1_800_000, 7_200_000];
/** Seconds that the page must draw well without films before they come back. */
const CALM = 5;
/** After so many good ones in a row the trouble is over: the next rest is the shortest again. */
const GOOD = 600;

export class Rest {
  #untilMs = 0;
  #rests = 0;
  #settledMs = -Infinity;
  /** @type {boolean[]} whether each of the last samples was bad */
  #bad = [];
  #good = 0;
  #calm = 0;

  /** @param {unknown} [known] what `known` gave before the start, unread @param {number} [nowMs] */
  constructor(known, nowMs = 0) {
    if (!isKnown(known)) return;
    this.#rests = Math.max(0, Math.min(RESTS_MS.length, Math.floor(known.rests)));
    // A clock that was wrong when this was noted makes no rest longer than the longest.
    const left = Math.min(known.untilMs - nowMs, RESTS_MS[RESTS_MS.length - 1]);
    if (left > 0) this.#untilMs = nowMs + left;
  }

  /** Whether films stay away for now. */
  get isOn() {
    return this.#untilMs !== 0;
  }

  /** @returns {Known} */
  get known() {
    return { untilMs: this.#untilMs, rests: this.#rests };
  }

  /** Something begins that may stutter without meaning anything. @param {number} nowMs */
  settle(nowMs) {
    this.#settledMs = nowMs + SETTLE_MS;
    this.#bad = [];
    this.#calm = 0;
  }

  /** Ask about once a second, while the page is seen. @param {Sample} sample @returns {boolean} `isOn` */
  judge({ nowMs, fps, films, shown, dropped }) {
    if (this.isOn) {
      this.#calm = fps >= FPS_LEAST ? this.#calm + 1 : 0;
      if (nowMs >= this.#untilMs && this.#calm >= CALM) this.#untilMs = 0;
      if (!this.isOn) this.settle(nowMs);
      return this.isOn;
    }
    if (films === 0 || nowMs < this.#settledMs) return false;
    const isBad = fps < FPS_LEAST || (shown > 0 && dropped / shown > DROPPED_MOST);
    this.#bad = [...this.#bad, isBad].slice(-WINDOW);
    this.#good = isBad ? 0 : this.#good + 1;
    if (this.#good >= GOOD) this.#rests = 0;
    if (this.#bad.filter(Boolean).length > BAD_MOST) this.#begin(nowMs);
    return this.isOn;
  }

  /** @param {number} nowMs */
  #begin(nowMs) {
    this.#untilMs = nowMs + RESTS_MS[Math.min(this.#rests, RESTS_MS.length - 1)];
    this.#rests = Math.min(this.#rests + 1, RESTS_MS.length);
    this.#bad = [];
    this.#good = 0;
    this.#calm = 0;
  }
}

/** @param {unknown} value @returns {value is Known} */
function isKnown(value) {
  const known = /** @type {Partial<Known> | null} */ (value);
  return Number.isFinite(known?.untilMs) && Number.isFinite(known?.rests);
}
