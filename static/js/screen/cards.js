// Cards before they are seen: decoded, laid out and drawn, the likely next one ahead of its time.

/** @typedef {import("../lib/feed.js").Item} Item */

/** How long a change waits for a picture before it takes one that is there. */
const PATIENCE_MS = 2000;

/** A picture that is still under way. */
export class Late extends Error {}

export class Cards {
  #pictures;
  #stage;
  /** @type {{item: Item, place: number, card: any} | null} who is most likely next */
  #ready = null;

  /** @param {{pictures: import("../lib/pictures.js").Pictures,
   *   stage: import("./stage.js").Stage}} wiring */
  constructor({ pictures, stage }) {
    this.#pictures = pictures;
    this.#stage = stage;
  }

  /** Whether this one can be drawn without waiting for the network. @param {Item} item */
  isThere(item) {
    return this.#pictures.isThere(item);
  }

  /** The one that was drawn ahead, if it is this one's, or a new one. Late where the picture is
   * still under way. @param {Item} item @param {number} place */
  async take(item, place) {
    return this.#takeReady(item, place) ?? this.#draw(item, place);
  }

  /** Draws ahead, so that the change itself waits for nothing.
   * @param {Item} item @param {number} place @param {() => boolean} isWanted asked when it is drawn */
  async makeReady(item, place, isWanted) {
    const card = await this.#draw(item, place).catch(() => null); // Whoever shows it tries again.
    if (!card) return;
    if (!isWanted()) return this.discard(card);
    this.clear();
    this.#ready = { item, place, card };
  }

  /** Its place may be no more. */
  clear() {
    if (this.#ready) this.discard(this.#ready.card);
    this.#ready = null;
  }

  /** @param {string} submission whose cards the stage has removed */
  forget(submission) {
    if (this.#ready?.item.submission === submission) this.#ready = null;
  }

  /** @param {any} card */
  discard(card) {
    this.#stage.discard(card);
  }

  /** @param {Item} item @param {number} place */
  #takeReady(item, place) {
    const ready = this.#ready;
    this.#ready = null;
    if (!ready) return undefined;
    const isTheirs = ready.item.submission === item.submission && ready.item.seq === item.seq;
    if (isTheirs && ready.place === place && isOnPage(ready.card)) return ready.card;
    this.discard(ready.card);
    return undefined;
  }

  /** @param {Item} item @param {number} place */
  async #draw(item, place) {
    const picture = await Promise.race([this.#pictures.get(item), late()]);
    try {
      return await this.#stage.prepare(item, picture, place);
    } catch (error) {
      this.#pictures.spoil(item);
      throw error;
    }
  }
}

/** False once a watchdog cleared it. @param {any} card */
export function isOnPage(card) {
  return card.isConnected !== false;
}

/** @returns {Promise<never>} */
function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Late()), PATIENCE_MS));
}
