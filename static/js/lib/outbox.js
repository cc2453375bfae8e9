// What the server must hear, kept until it said that it has.

/**
 * @typedef {Record<string, unknown> & {ack: string, play_id?: string}} Ack
 * @typedef {{id: number, ack: Ack}} Entry
 * @typedef {{add: (id: number, ack: Ack) => Promise<boolean>, remove: (ids: number[]) => void,
 *   read: (after: number, upTo: number, most: number) => Promise<Entry[] | null>}} Store
 *   `add` resolves to whether it is kept; `read` to the first that it keeps of these ids, or to null
 *   where that cannot be told now
 */

/** The server takes a hundred (billboard/protocol.py, ACKS_MAX). */
const ACKS_PER_FRAME = 50;
/** A day without a network on a mosaic of sixteen, three seconds each: 460,800 plays, 150 MB of disk. */
const MOST = 480_000;
/** In memory; the others lie in the store until it is nearly their turn. Twice what leaves in a beat. */
const HEAD = 2000;

/** @type {Store} */
const NOWHERE = { add: async () => false, remove: () => {}, read: async () => [] };

/** Somebody waits for these, and a day's plays may stand in the line. They are never lost. */
const URGENT = new Set(["command", "dark"]);

/**
 * A queue of acknowledgements. Delivered at least once and in order, what somebody waits for first; the
 * server knows a repeat by its ids.
 */
export class Outbox {
  /** The head of the line. @type {Entry[]} */
  #waiting = [];
  /** @type {Map<number, Entry[]>} */
  #underway = new Map();
  #n = 0;
  /** How many frames had left at each of the last beats. */
  #sentByBeat = [0, 0, 0];
  /** Of the last in the line. Ids of what goes first are below zero: it does in the store, too. */
  #id = 0;
  #firstId = 0;
  /** Up to here the line has been in memory; what follows, if anything, is in the store alone. */
  #readId = 0;
  #isReading = false;
  /** Changed since the store was asked for more. @type {Map<number, Ack>} */
  #amended = new Map();
  /** Plays that are on, and under which id their beginning waits. @type {Map<string, number>} */
  #begun = new Map();
  #most;
  #head;
  #perFrame = ACKS_PER_FRAME;
  #store;

  /** @param {{store?: Store, most?: number, head?: number}} [world] `store` outlives the browser; without
   *   one all is in memory */
  constructor({ store, most = MOST, head = store ? HEAD : Infinity } = {}) {
    this.#store = store ?? NOWHERE;
    this.#most = most;
    this.#head = head;
  }

  get length() {
    const here = this.#waiting.length + [...this.#underway.values()].flat().length;
    return here + this.#id - this.#readId;
  }

  /** Goes on with what was kept. Call it before anything is added.
   * @param {Entry[]} entries the first of the line @param {number} lastId of the line */
  restore(entries, lastId) {
    this.#waiting = [...entries];
    this.#firstId = Math.min(0, entries[0]?.id ?? 0);
    this.#readId = Math.max(0, entries.at(-1)?.id ?? 0);
    this.#id = Math.max(this.#readId, lastId);
  }

  /** A play's end takes the place of its beginning where that has not left yet. @param {Ack} ack */
  add(ack) {
    if (this.#goesFirst(ack)) this.#addFirst(ack);
    else if (!this.#amend(ack)) this.#addLast(ack);
    this.#note(ack);
    if (this.length > this.#most) this.#dropOldest();
  }

  /** In a line that leaves with the next frame, dark stays behind the end of the play that it ended: that
   * knows best how long it was. @param {Ack} ack */
  #goesFirst({ ack }) {
    return ack === "command" || (URGENT.has(ack) && this.length >= this.#perFrame);
  }

  /** @param {Ack} ack */
  #addFirst(ack) {
    this.#firstId -= 1;
    this.#waiting.unshift({ id: this.#firstId, ack });
    this.#store.add(this.#firstId, ack);
  }

  /** @param {Ack} ack */
  #addLast(ack) {
    const isShort = this.#id === this.#readId && this.#waiting.length < this.#head;
    const entry = { id: (this.#id += 1), ack };
    if (isShort) {
      this.#readId = entry.id;
      this.#waiting.push(entry);
      this.#store.add(entry.id, ack);
    } else {
      this.#keep(entry);
    }
  }

  /** Where a beginning of this play waits; or false. @param {Ack} ack */
  #amend(ack) {
    if (!ack.play_id) return false;
    const at = this.#waiting.findLastIndex((other) => other.ack.play_id === ack.play_id);
    if (at >= 0) {
      const entry = { id: this.#waiting[at].id, ack };
      this.#waiting[at] = entry;
      this.#store.add(entry.id, ack);
      return true;
    }
    const id = this.#begun.get(ack.play_id);
    if (id === undefined || id <= this.#readId) return false;
    if (this.#isReading) this.#amended.set(id, ack);
    this.#keep({ id, ack });
    return true;
  }

  /** @param {Ack} ack */
  #note({ play_id, duration_ms }) {
    if (!play_id) return;
    if (duration_ms === null) this.#begun.set(play_id, this.#id);
    else this.#begun.delete(play_id);
  }

  /** In the store alone; in memory after all where that does not take it. @param {Entry} entry */
  async #keep(entry) {
    if (!(await this.#store.add(entry.id, entry.ack))) this.#waiting.push(entry);
  }

  /** Reads on when half of what was in memory has left. */
  async #readOn() {
    if (this.#isReading || this.#readId === this.#id) return;
    if (this.#waiting.length > this.#head / 2) return;
    this.#isReading = true;
    const upTo = this.#id;
    const read = await this.#store.read(this.#readId, upTo, this.#head);
    if (read !== null) {
      const now = read.map(({ id, ack }) => ({ id, ack: this.#amended.get(id) ?? ack }));
      this.#waiting.push(...now);
      this.#readId = read.length < this.#head ? upTo : (read.at(-1)?.id ?? upTo);
    }
    this.#amended.clear();
    this.#isReading = false;
  }

  /** The next frame to send, or null when nothing waits. */
  next() {
    const entries = this.#waiting.splice(0, this.#perFrame);
    this.#readOn();
    if (entries.length === 0) return null;
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
    const oldest = this.#waiting.findIndex(({ ack }) => !URGENT.has(ack.ack));
    const at = cached >= 0 ? cached : oldest;
    if (at >= 0) this.#drop(this.#waiting.splice(at, 1), "too much waits");
    this.#readOn();
  }

  /** @param {Entry[]} entries @param {string} why */
  #drop(entries, why) {
    this.#store.remove(entries.map(({ id }) => id));
    for (const { ack } of entries) console.error(`an acknowledgement is lost: ${why}`, ack);
  }
}
