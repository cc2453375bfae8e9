// When a page that has run for weeks is better loaded anew. Pure: it is told, and it judges.

/** No frame for so long on a page that is seen. */
const STALLED_MS = 60_000;
/** Nothing to see for so long. */
const BLANK_MS = 3000;
/** What a screen says of itself goes by the last moments. */
const NOW_MS = 2000;
/** A page that plays takes some 60 MB of heap. */
const HEAP_MOST_BYTES = 700 * 2 ** 20;
/** Near the limit at which the browser ends the page. */
const HEAP_SHARE = 0.8;
/** In a row, so that a collection that is due does not count as growth. */
const HEAP_SAMPLES = 3;
/** 04:00 by the device's clock, and up to half an hour later: a city's screens do not all come at
 * once. */
const NIGHT_HOUR = 4;
const NIGHT_SPREAD_MS = 30 * 60_000;
/** A page younger than this has had its night. */
const YOUNG_MS = 6 * 3600_000;

/**
 * @typedef {{nowMs: number, isVisible: boolean, isBlank: boolean,
 *   heap: {usedJSHeapSize: number, jsHeapSizeLimit: number} | null, wall: Date}} Sample
 *   `nowMs` on the monotonic clock, `wall` the device's own
 * @typedef {"stalled" | "blank" | "memory" | "night"} Reason
 */

export class Watch {
  #startedMs;
  #drawnMs;
  /** @type {number | null} */
  #blankSinceMs = null;
  #isVisible = true;
  #heavy = 0;
  #spreadMs;

  /** @param {{nowMs: number, random?: () => number}} start */
  constructor({ nowMs, random = Math.random }) {
    this.#startedMs = this.#drawnMs = nowMs;
    this.#spreadMs = random() * NIGHT_SPREAD_MS;
  }

  /** A frame was drawn. @param {number} nowMs */
  drew(nowMs) {
    this.#drawnMs = nowMs;
  }

  /** Whether frames come. @param {number} nowMs */
  isDrawing(nowMs) {
    return nowMs - this.#drawnMs < BLANK_MS;
  }

  /** Whether somebody before it sees what it should show: frames come, the page is seen, and nothing
   * is missing for longer than a change takes. @param {number} nowMs */
  isShowing(nowMs) {
    const blankMs = this.#blankSinceMs === null ? 0 : nowMs - this.#blankSinceMs;
    return this.#isVisible && nowMs - this.#drawnMs < NOW_MS && blankMs < NOW_MS;
  }

  /** Why the page should be loaded anew, or null. Ask about once a second. @param {Sample} sample
   * @returns {Reason | null} */
  judge({ nowMs, isVisible, isBlank, heap, wall }) {
    this.#isVisible = isVisible;
    // A hidden page draws nothing, and that is as it should be.
    if (!isVisible) {
      this.#drawnMs = nowMs;
      this.#blankSinceMs = null;
    }
    if (nowMs - this.#drawnMs >= STALLED_MS) return "stalled";
    // Without frames a card stands where its entrance began, unseen: that is no blank page but a slow one.
    const isSeen = isVisible && nowMs - this.#drawnMs < NOW_MS;
    this.#blankSinceMs = isBlank && isSeen ? (this.#blankSinceMs ?? nowMs) : null;
    if (this.#blankSinceMs !== null && nowMs - this.#blankSinceMs >= BLANK_MS) return "blank";
    const isHeavy =
      heap !== null &&
      heap.usedJSHeapSize > Math.min(HEAP_MOST_BYTES, heap.jsHeapSizeLimit * HEAP_SHARE);
    this.#heavy = isHeavy ? this.#heavy + 1 : 0;
    if (this.#heavy >= HEAP_SAMPLES) return "memory";
    return this.#isNight(nowMs, wall) ? "night" : null;
  }

  /** @param {number} nowMs @param {Date} wall */
  #isNight(nowMs, wall) {
    if (nowMs - this.#startedMs < YOUNG_MS) return false;
    const night = new Date(wall);
    night.setHours(NIGHT_HOUR, 0, 0, 0);
    const lateMs = wall.getTime() - night.getTime() - this.#spreadMs;
    return lateMs >= 0 && lateMs < NIGHT_SPREAD_MS;
  }
}
