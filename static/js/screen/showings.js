// Who is on, in which place and since when: every showing is told to the server as a play.

/**
 * @typedef {import("../lib/feed.js").Item} Item
 * @typedef {import("../lib/rotation.js").Shown} Shown
 * @typedef {{item: Item, playId: string, startedMs: number, untilMs: number, slotAtMs: number | null,
 *   isRepeat: boolean, isSeen: boolean, seenMs: number | null}} Showing `untilMs` is when the slot ends
 *   that it was put up for, `slotAtMs` is when the plan's slot began, null without one; unseen, it is
 *   told no more; `seenMs` is when it was first drawn: before that it is no play
 */

export class Showings {
  #ack;
  #now;
  #layout;
  #sees;
  /** @type {(Showing | null)[]} by place */
  #on;
  /** How often each was shown, and when last. @type {Map<string, Shown>} */
  history = new Map();
  lastChangeMs = -Infinity;

  /**
   * @param {{ack: (ack: any) => void, now: () => number,
   *   layout: import("../lib/layouts.js").Layout, sees?: (place: number) => boolean}} wiring
   *   `now` is the server's time; a place that is not seen here has no plays here
   */
  constructor({ ack, now, layout, sees = () => true }) {
    this.#sees = sees;
    this.#ack = ack;
    this.#now = now;
    this.#layout = layout;
    this.#on = Array(layout.places).fill(null);
  }

  /** Who was in a place that is no more has been shown to here.
   * @param {import("../lib/layouts.js").Layout} layout */
  use(layout) {
    for (let place = layout.places; place < this.places; place += 1) this.#end(place);
    this.#on = Array.from({ length: layout.places }, (_, place) => this.at(place));
    this.#layout = layout;
  }

  /** Nobody is seen any more, though all stay where they are: every showing ends. */
  hide() {
    for (let place = 0; place < this.places; place += 1) this.#end(place);
    this.#on.forEach((showing) => showing && (showing.isSeen = false));
  }

  get places() {
    return this.#on.length;
  }

  /** @param {number} place */
  at(place) {
    return this.#on[place] ?? null;
  }

  /** The submission that is seen, in the first place where there are several, or null. */
  get hero() {
    const first = this.at(0);
    return first?.isSeen ? first.item.submission : null;
  }

  /** -1 for whoever is not on. @param {string} submission */
  placeOf(submission) {
    return this.#on.findIndex((showing) => showing?.item.submission === submission);
  }

  /** The first place with nobody in it, or -1. */
  get empty() {
    return this.#on.indexOf(null);
  }

  /** Every place with nobody in it. */
  get emptyOnes() {
    return [...this.#on.keys()].filter((place) => this.at(place) === null);
  }

  /** The first place with nobody in it that is none of these, or -1. @param {Set<number>} places */
  emptyBut(places) {
    return this.#on.findIndex((showing, place) => showing === null && !places.has(place));
  }

  /** Places with somebody in them. */
  get oldestFirst() {
    const startedMs = (/** @type {number} */ place) => this.at(place)?.startedMs ?? 0;
    return [...this.#on.keys()]
      .filter((place) => this.at(place))
      .sort((one, other) => startedMs(one) - startedMs(other));
  }

  /** Those that are on. @returns {Item[]} */
  get items() {
    return this.#on.flatMap((showing) => (showing ? [showing.item] : []));
  }

  /** Whether nobody's first showing would be cut short. */
  get isQuiet() {
    return this.#on.every((showing) => !showing?.isSeen || showing.isRepeat);
  }

  /** @param {Item} item @param {number} place @param {number} slotMs
   * @param {number | null} slotAtMs when the plan's slot began that it is put up for */
  start(item, place, slotMs, slotAtMs = null) {
    this.#end(place);
    const startedMs = performance.now();
    const shown = this.history.get(item.submission);
    const isRepeat = shown !== undefined;
    const untilMs = startedMs + slotMs;
    const isSeen = this.#sees(place);
    const playId = newId();
    /** @type {Showing} */
    const showing = { item, playId, startedMs, untilMs, slotAtMs, isRepeat, isSeen, seenMs: null };
    this.#on[place] = showing;
    this.lastChangeMs = startedMs;
    this.history.set(item.submission, { times: (shown?.times ?? 0) + 1, lastMs: startedMs });
    this.#tellOnceDrawn(showing);
  }

  /** A display may be off, of which the page knows only that it is given no frames. Who was still there
   * when they come back is on from then on. @param {Showing} showing */
  async #tellOnceDrawn(showing) {
    let seenMs = (await drawn()) === null ? null : showing.startedMs;
    while (seenMs === null) {
      if (!this.#on.includes(showing)) return;
      seenMs = await drawn();
    }
    if (!this.#on.includes(showing)) return; // Over before anybody saw it.
    showing.seenMs = seenMs;
    if (showing.isSeen) this.#ack(this.#asAck(showing, null));
  }

  /** As if they had never been here; a showing of theirs ends. @param {string} submission */
  forget(submission) {
    this.history.delete(submission);
    const place = this.placeOf(submission);
    if (place === -1) return;
    this.#end(place);
    this.#on[place] = null;
  }

  /** The plays that are on, as if they ended now. */
  get plays() {
    const nowMs = performance.now();
    return this.#on.flatMap((showing) => (isPlay(showing) ? [this.#asAck(showing, nowMs)] : []));
  }

  /** @param {number} place */
  #end(place) {
    const showing = this.at(place);
    if (isPlay(showing)) this.#ack(this.#asAck(showing, performance.now()));
  }

  /** @param {Showing} showing @param {number | null} endMs null while it is on */
  #asAck({ item, playId, startedMs, seenMs }, endMs) {
    const sinceMs = seenMs ?? startedMs;
    return {
      ack: "shown",
      play_id: playId,
      submission: item.submission,
      figurine: item.figurine,
      seq: item.seq,
      started_at: new Date(this.#now() - (performance.now() - sinceMs)).toISOString(),
      duration_ms: endMs === null ? null : Math.round(endMs - sinceMs),
      layout: this.#layout.name,
    };
  }
}

/** Rendered, not only sent. @param {Showing | null} showing @returns {showing is Showing} */
function isPlay(showing) {
  return showing !== null && showing.isSeen && showing.seenMs !== null;
}

/** A browser that is slow to draw is given the next frame while the one before waits to be drawn, and
 * a third only once it was. One more, and it is on the glass. */
const FRAMES_AHEAD = 4;
/** A hidden page draws no frames. */
const LATE_MS = 250;
/** Nor does one whose display is off, of which it does not know. */
const STALLED_MS = 3000;

/** Resolves when the frame that is due has been drawn, or would have been on a page that draws none.
 * @returns {Promise<boolean>} whether frames came */
export async function painted() {
  return (await drawn()) !== null;
}

/** As `painted`. @returns {Promise<number | null>} when the first of the frames came, null for none */
function drawn() {
  return new Promise((resolve) => {
    let left = FRAMES_AHEAD;
    /** @type {number | null} */
    let firstMs = null;
    let due = 0;
    const ms = document.visibilityState === "hidden" ? LATE_MS : STALLED_MS;
    const late = setTimeout(() => {
      cancelAnimationFrame(due); // without frames they would pile up
      resolve(null);
    }, ms);
    const frame = () => {
      firstMs ??= performance.now();
      left -= 1;
      if (left > 0) {
        due = requestAnimationFrame(frame);
        return;
      }
      clearTimeout(late);
      resolve(firstMs);
    };
    due = requestAnimationFrame(frame);
  });
}

/** A frame is on for so long; what is due in its first half is drawn with it. */
const HALF_FRAME_MS = 8;

/** Resolves in the frame nearest to a moment of the server's. @param {number} atMs
 * @param {() => number} now the server's time @returns {Promise<void>} */
export function frameAt(atMs, now) {
  return new Promise((resolve) => {
    const look = () => {
      if (now() >= atMs - HALF_FRAME_MS) resolve();
      else requestAnimationFrame(look);
    };
    look();
    setTimeout(resolve, Math.max(0, atMs - now()) + LATE_MS);
  });
}

/** crypto.randomUUID exists on https only. Source: RFC 9562, section 5.4. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
