// Fills the shelf while there is a network, the newest first, and never in the way of what is next.

/** @typedef {import("./feed.js").Item} Item */

/** Between two downloads: a screen's own next picture must not wait behind these. */
const PAUSE_MS = 250;

/** Loads what the device lacks, one at a time. */
export class Stock {
  #sources;
  #hasRoom;
  #pauseMs;
  #isRunning = false;

  /**
   * @param {{sources: {wants: (item: Item) => boolean, stock: (item: Item) => Promise<void>}[],
   *   hasRoom: () => boolean, pauseMs?: number}} parts
   *   all items are brought from the first source before any from the next
   */
  constructor({ sources, hasRoom, pauseMs = PAUSE_MS }) {
    this.#sources = sources;
    this.#hasRoom = hasRoom;
    this.#pauseMs = pauseMs;
  }

  /** @param {() => Item[]} items asked again after each, since the feed goes on meanwhile */
  async fill(items) {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const tried = new Set();
    for (const { wants, stock } of this.#sources) {
      for (;;) {
        const next = newestFirst(items()).find((item) => wants(item) && !tried.has(keyOf(item)));
        if (!next || !this.#hasRoom()) break;
        tried.add(keyOf(next));
        await stock(next).catch(() => {}); // Tried again with the next fill.
        await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
      }
      tried.clear();
    }
    this.#isRunning = false;
  }
}

/** @param {Item} item */
function keyOf({ submission, seq }) {
  return `${submission}/${seq}`;
}

/** @param {Item[]} items */
function newestFirst(items) {
  return [...items].sort((one, other) => other.seq - one.seq);
}
