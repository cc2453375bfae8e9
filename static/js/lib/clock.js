// The server's time, also without the server and on a device whose clock was set back.

/**
 * @typedef {{latestMs: number, aheadMs: number}} Known what was last known, to be kept
 * @typedef {{atMs: number, aheadMs: number, withinMs: number}} Trip a question and its answer: how
 *   far the server is ahead of the monotonic clock, give or take
 */

/** So long a word of the server's counts. A device's clock drifts by less than it matters in that
 * time, and a server whose clock was set back is followed after it. */
const HEARD_MS = 60_000;
/** Round trips that are looked at; the quickest is believed. Source: RFC 5905, section 10. */
const TRIPS = 8;
/** Asked one after another at first, then one a beat. */
const TRIPS_AT_FIRST = 4;
/** The device's clock ran ahead of the monotonic one by more at once: the machine slept, or somebody set
 * its clock. */
const SLEPT_MS = 10_000;
/** Clocks are read in milliseconds, and a way within one machine takes less. */
const ROUNDED_MS = 2;
/** Two clocks run apart by less between two trips; one that was set does not. */
const DRIFT_MS = 20;

/**
 * Milliseconds since 1970 as the server counts them. Runs on the monotonic clock from what the
 * server said last, so that nobody who sets the device's clock moves it. After a cold start without
 * network it goes on from the device's clock, but never from before what was known already.
 *
 * A word of the server's has been under way for nobody knows how long. An answer to a question has
 * been for no longer than both took together, so where there is one, words are passed over.
 */
export class Clock {
  #ticks;
  #wall;
  #atMs = 0;
  #baseMs = 0;
  /** @type {{atMs: number, saidMs: number}[]} */
  #heard = [];
  /** @type {Trip[]} */
  #trips = [];
  /** The one question that is under way: when it went out. @type {number | null} */
  #askedMs = null;
  /** When it was looked whether the device slept. @type {{ticksMs: number, wallMs: number}} */
  #seen;
  /** So long it may have slept since the server said what time it is. */
  #sleptMs = 0;

  /**
   * @param {{known?: unknown, ticks?: () => number, wall?: () => number}} [world]
   *   `known` is what `known` gave before the start, unread; `ticks` is monotonic
   */
  constructor({ known, ticks = () => performance.now(), wall = () => Date.now() } = {}) {
    this.#ticks = ticks;
    this.#wall = wall;
    const { latestMs, aheadMs } = isKnown(known) ? known : { latestMs: 0, aheadMs: 0 };
    this.#set(Math.max(latestMs, wall() + aheadMs));
    this.#seen = { ticksMs: ticks(), wallMs: wall() };
  }

  /** @returns {number} */
  now() {
    return this.#baseMs + this.#ticks() - this.#atMs;
  }

  /** Whether the device may have slept since it was asked last: monotonic clocks stand still meanwhile.
   * What the server said before says nothing then. Ask about once a second. */
  hasSlept() {
    const [before, now] = [this.#seen, { ticksMs: this.#ticks(), wallMs: this.#wall() }];
    const jumpMs = now.wallMs - before.wallMs - (now.ticksMs - before.ticksMs);
    this.#seen = now;
    if (jumpMs <= SLEPT_MS) return false;
    this.#heard = [];
    this.#trips = [];
    this.#askedMs = null;
    // Of a clock that was wrong and was set right only what it is ahead of this one now.
    this.#sleptMs += Math.max(0, Math.min(jumpMs, now.wallMs - this.now() - this.#sleptMs));
    return true;
  }

  /** No server says how long it slept: the later of both clocks counts, so that nobody stays past their
   * day. */
  catchUp() {
    if (this.#sleptMs > 0) this.#set(this.now() + this.#sleptMs);
  }

  /** The server's word on what time it is; anything else is passed over. @param {unknown} moment */
  hear(moment) {
    const saidMs = typeof moment === "string" ? Date.parse(moment) : NaN;
    if (!Number.isFinite(saidMs)) return;
    const nowMs = this.#ticks();
    this.#heard = this.#heard.filter(({ atMs }) => nowMs - atMs < HEARD_MS);
    this.#heard.push({ atMs: nowMs, saidMs });
    if (this.#best) return;
    // No word comes early, and one that was held up on its way is behind the others.
    this.#set(Math.max(...this.#heard.map(({ atMs, saidMs }) => saidMs + nowMs - atMs)));
  }

  /** A question for the server, to be sent at once; it takes the place of one without an answer. */
  ask() {
    this.#askedMs = this.#ticks();
    return { type: "time", t0: Math.round(this.#askedMs) };
  }

  /**
   * The answer; one to another question is passed over. Whether to ask again at once.
   * Source: RFC 5905, section 8: offset ((t1 - t0) + (t2 - t3)) / 2, delay (t3 - t0) - (t2 - t1).
   * @param {{t0?: unknown, t1?: unknown, t2?: unknown}} frame t1 and t2 when the server heard and said
   * @returns {boolean}
   */
  answer({ t0, t1, t2 }) {
    const [nowMs, askedMs] = [this.#ticks(), this.#askedMs];
    if (askedMs === null || t0 !== Math.round(askedMs)) return false;
    this.#askedMs = null;
    if (typeof t1 !== "number" || typeof t2 !== "number" || !Number.isFinite(t1 + t2)) return false;
    const spentMs = nowMs - askedMs - (t2 - t1);
    if (spentMs < -ROUNDED_MS || t2 < t1) return false; // The server's clock was set in between.
    const delayMs = Math.max(0, spentMs);
    const trip = { atMs: nowMs, aheadMs: (t1 - askedMs + t2 - nowMs) / 2, withinMs: delayMs / 2 };
    // One that contradicts the latest was before a clock was set.
    const isPossible = (/** @type {Trip} */ { aheadMs, withinMs }) =>
      Math.abs(aheadMs - trip.aheadMs) <= withinMs + trip.withinMs + DRIFT_MS;
    this.#trips = [...this.#trips.filter(isPossible), trip].slice(-TRIPS);
    this.#set(nowMs + (this.#best ?? trip).aheadMs);
    return this.#trips.length < TRIPS_AT_FIRST;
  }

  /** By how much it may be wrong, in milliseconds; null while only words were heard. */
  get withinMs() {
    return this.#best?.withinMs ?? null;
  }

  /** @returns {Known} */
  get known() {
    return { latestMs: this.now(), aheadMs: this.now() + this.#sleptMs - this.#wall() };
  }

  /** The quickest of the latest trips, or null. @returns {Trip | null} */
  get #best() {
    const sinceMs = this.#ticks() - HEARD_MS;
    const latest = this.#trips.filter(({ atMs }) => atMs > sinceMs);
    if (latest.length === 0) return null;
    return latest.reduce((one, other) => (other.withinMs <= one.withinMs ? other : one));
  }

  /** @param {number} ms */
  #set(ms) {
    this.#baseMs = ms;
    this.#atMs = this.#ticks();
    this.#sleptMs = 0;
  }
}

/** @param {unknown} value @returns {value is Known} */
function isKnown(value) {
  const known = /** @type {Partial<Known> | null} */ (value);
  return Number.isFinite(known?.latestMs) && Number.isFinite(known?.aheadMs);
}
