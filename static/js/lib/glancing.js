// When the page is photographed, how large, and for whom. Pure: it is told the time, and it judges.

/** While somebody looks, and while nobody does. */
const WATCHED_MS = 10_000;
const UNWATCHED_MS = 60_000;
/** After a removal or a refusal the picture that the crew had is gone. All screens of a campaign hear
 * of a removal at once: they part over so long, while somebody looks and while nobody does. */
const SOON_MS = 1500;
const SOON_APART_MS = { watched: 1500, unwatched: 8500 };
/** Between two large ones. In a mosaic one serves several people. */
const LARGE_APART_MS = 5000;
/** Times as long as one took: a slow device takes fewer. */
const REST_SHARE = 50;
/** By then an entrance is over. */
const ENTERED_MS = 1500;
/** How long rest is waited for: changes follow each other after a second or more. */
const REST_MS = 4000;

/** In pixels: of a screen of 1920 by 1080, 480 by 270 and 960 by 540 (docs/on-now.md: what it costs). */
const SMALL_AREA = 129_600;
const LARGE_AREA = 518_400;

/** @typedef {"glance" | "first" | "asked"} Kind */

export class Glancing {
  #isWatched = false;
  #nextMs;
  #largeMs = -Infinity;
  #restMs = 0;
  #random;
  /** Whose first showing here is not pictured yet. @type {Set<string>} */
  #owed = new Set();
  /** When those of them went up who are on. @type {Map<string, number>} */
  #firsts = new Map();
  #isAsked = false;
  #dueSinceMs = -1;

  /** @param {{nowMs: number, random?: () => number}} start screens that start together part here */
  constructor({ nowMs, random = Math.random }) {
    this.#random = random;
    this.#nextMs = nowMs + WATCHED_MS * (0.3 + random() / 2);
  }

  /** @param {boolean} isWatched whether the crew looks @param {number} nowMs */
  watch(isWatched, nowMs) {
    if (isWatched && !this.#isWatched) this.#nextMs = Math.min(this.#nextMs, nowMs);
    this.#isWatched = isWatched;
  }

  /** The picture that is held elsewhere is no more true. @param {number} nowMs */
  soon(nowMs) {
    const apartMs = SOON_APART_MS[this.#isWatched ? "watched" : "unwatched"];
    this.#nextMs = Math.min(this.#nextMs, nowMs + SOON_MS + this.#random() * apartMs);
  }

  /** @param {string} submission whose first showing here begins @param {number} nowMs */
  first(submission, nowMs) {
    this.#owed.add(submission);
    this.#firsts.set(submission, nowMs);
  }

  /** Of somebody whose first showing could not be pictured, or not told, a later one will do.
   * @param {string} submission who is on once more @param {number} nowMs */
  again(submission, nowMs) {
    if (this.#owed.has(submission)) this.#firsts.set(submission, nowMs);
  }

  /** The server has the picture of these, or had one. @param {string[]} submissions */
  told(submissions) {
    submissions.forEach((submission) => this.#owed.delete(submission));
  }

  /** The server has it not. @param {string[]} submissions @param {number} nowMs */
  lost(submissions, nowMs) {
    submissions.forEach((submission) => this.again(submission, nowMs));
  }

  /** @param {string} submission who was taken down */
  forget(submission) {
    this.#owed.delete(submission);
    this.#firsts.delete(submission);
  }

  ask() {
    this.#isAsked = true;
  }

  /** Nobody waits for it any more. */
  unask() {
    this.#isAsked = false;
  }

  /** Which is due now, or null. @param {number} nowMs @param {boolean} isRestless something moves that
   * is soon at rest @returns {Kind | null} */
  due(nowMs, isRestless) {
    const kind = this.#wanted(nowMs);
    if (!kind) this.#dueSinceMs = -1;
    else if (this.#dueSinceMs === -1) this.#dueSinceMs = nowMs;
    const isLate = nowMs - this.#dueSinceMs >= REST_MS;
    return kind && (!isRestless || isLate) ? kind : null;
  }

  /** @param {number} nowMs @returns {Kind | null} */
  #wanted(nowMs) {
    if (this.#isAsked) return "asked";
    const isEntered = [...this.#firsts.values()].some((sinceMs) => nowMs - sinceMs >= ENTERED_MS);
    if (isEntered && nowMs - this.#largeMs >= Math.max(LARGE_APART_MS, this.#restMs)) return "first";
    return nowMs >= this.#nextMs ? "glance" : null;
  }

  /** One was taken. Returns those on it whose first showing here it is; of a large one, whoever has
   * left meanwhile has to come again. @param {Kind} kind @param {string[]} on @param {number} nowMs
   * @param {number} [tookMs] how long it took */
  took(kind, on, nowMs, tookMs = 0) {
    this.#dueSinceMs = -1;
    this.#restMs = tookMs * REST_SHARE;
    if (kind === "glance") {
      const pauseMs = this.#isWatched ? WATCHED_MS : UNWATCHED_MS;
      this.#nextMs = nowMs + Math.max(pauseMs, this.#restMs);
      return [];
    }
    this.#largeMs = nowMs;
    if (kind === "asked") {
      this.#isAsked = false;
      return [];
    }
    const entered = [...this.#firsts].filter(([, sinceMs]) => nowMs - sinceMs >= ENTERED_MS);
    for (const [submission] of entered) this.#firsts.delete(submission);
    return entered.map(([submission]) => submission).filter((one) => on.includes(one));
  }
}

/** How wide a picture of a page is made. @param {Kind} kind
 * @param {{width: number, height: number}} page in CSS px @param {number} pixelRatio */
export function widthOf(kind, { width, height }, pixelRatio) {
  const area = kind === "glance" ? SMALL_AREA : LARGE_AREA;
  const wide = Math.sqrt((area * width) / height);
  return Math.max(1, Math.round(Math.min(wide, width * pixelRatio)));
}
