// What the server must hear, kept until it said that it has.

/**
 * @typedef {Record<string, unknown> & {ack: string, play_id?: string}} Ack
 * @typedef {{id: number, ack: Ack}} Entry
 * @typedef {{add: (id: number, ack: Ack) => void, remove: (ids: number[]) => void}} Store
 */

/** The server takes a hundred (billboard/protocol.py, ACKS_MAX). */
const ACKS_PER_FRAME = 50;
/** Nearly two days at a play every eight seconds; some 6 MB. */
const MOST = 20_000;

/** @type {Store} */
const NOWHERE = { add: () => {}, remove: () => {} };

/**
 * A queue of acknowledgements. Delivered at least once and in order, answers to commands first; the
 * server knows a repeat by its ids.
 */
export class Outbox {
  /** @type {Entry[]} */
  #waiting = [];
  /** @type {Map<number, Entry[]>} */
  #underway = new Map();
  #n = 0;
  /** How many frames had left at each of the last beats. */
  #sentByBeat = [0, 0, 0];
  #id = 0;
  #most;
  #perFrame = ACKS_PER_FRAME;
  #store;

  /** @param {{store?: Store, most?: number}} [world] `store` outlives the browser */
  constructor({ store = NOWHERE, most = MOST } = {}) {
    this.#store = store;
    this.#most = most;
  }

  get length() {
    return this.#waiting.length + [...this.#underway.values()].flat().length;
  }

  /** Goes on with what was kept. Call it before anything is added. @param {Entry[]} entries */
  restore(entries) {
    this.#waiting = [...entries];
    this.#id = entries.at(-1)?.id ?? 0;
  }

  /** A play's end takes the place of its beginning where that has not left yet. @param {Ack} ack */
  add(ack) {
    const begun = ack.play_id
      ? this.#waiting.findLastIndex((other) => other.ack.play_id === ack.play_id)
      : -1;
    const entry = { id: begun >= 0 ? this.#waiting[begun].id : (this.#id += 1), ack };
    if (begun >= 0) this.#waiting[begun] = entry;
    // Somebody waits for it, and a day's plays may stand in the line.
    else if (ack.ack === "command") this.#waiting.unshift(entry);
    else this.#waiting.push(entry);
    this.#store.add(entry.id, ack);
    if (this.#waiting.length > this.#most) this.#dropOldest();
  }

  /** The next frame to send, or null when nothing waits. */
  next() {
    if (this.#waiting.length === 0) return null;
    const entries = this.#waiting.splice(0, this.#perFrame);
    const n = (this.#n += 1);
    this.#underway.set(n, entries);
    return { type: "acks", n, acks: entries.map(({ ack }) => ack) };
  }

  /** The server has frame `n`. @param {number} n */
  confirm(n) {
    this.#store.remove((this.#underway.get(n) ?? []).map(({ id }) => id));
    this.#underway.delete(n);
    this.#perFrame = Math.min(ACKS_PER_FRAME, this.#perFrame * 2);
  }

  /** The server will never take frame `n`: halves it until what is wrong is alone, and drops that.
   * Without this one bad line would keep all others for ever. @param {number} n */
  refuse(n) {
    const entries = this.#underway.get(n) ?? [];
    this.#perFrame = Math.max(1, Math.floor(entries.length / 2));
    if (entries.length !== 1) return;
    this.#underway.delete(n);
    this.#drop(entries, "the server refuses it");
  }

  /** A heartbeat went by. What three of them brought no word about waits again: the record was out of
   * reach, and a repeat is known. */
  beat() {
    const late = this.#sentByBeat.shift() ?? 0;
    this.#sentByBeat.push(this.#n);
    this.#takeBack(([n]) => n <= late);
  }

  /** The way was cut: all that was not confirmed waits again, in its order. */
  takeBack() {
    this.#takeBack(() => true);
  }

  /** @param {(frame: [number, Entry[]]) => boolean} which */
  #takeBack(which) {
    const frames = [...this.#underway].filter(which);
    frames.forEach(([n]) => this.#underway.delete(n));
    this.#waiting = [...frames.map(([, entries]) => entries), this.#waiting].flat();
  }

  /** What is held is worth less than what was shown. */
  #dropOldest() {
    const cached = this.#waiting.findIndex(({ ack }) => ack.ack === "cached");
    this.#drop(this.#waiting.splice(Math.max(0, cached), 1), "too much waits");
  }

  /** @param {Entry[]} entries @param {string} why */
  #drop(entries, why) {
    this.#store.remove(entries.map(({ id }) => id));
    for (const { ack } of entries) console.error(`an acknowledgement is lost: ${why}`, ack);
  }
}
