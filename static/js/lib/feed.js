// What may be on the screen, told by frames that may come late, twice or out of order.

/**
 * @typedef {{submission: string, figurine: number, seq: number, number: number, plaque: string,
 *   approved_at: string, until?: string, picture: string,
 *   clip: {mp4: string, webm: string} | null}} Item
 *   `seq` is where it was added; a later line of the log may only say that it has a clip now.
 *   From `until` on nobody may keep it, whether the server says so or not
 * @typedef {{epoch: string | null, seq: number}} Place
 * @typedef {Place & {type: "snapshot", items: Item[], more?: number | null, up?: number[] | null}} Snapshot
 *   with `more` these are the first, and `up` names the figurines of all
 * @typedef {{type: "rest", epoch: string | null, after: number, items: Item[], more: number | null}} Rest
 * @typedef {Place & {type: "changes", after: number,
 *   changes: {seq: number, submission: string, item: Item | null}[]}} Changes
 * @typedef {{removed: string[], told: Item[], added: Item[], moving: Item[],
 *   isBehind: boolean}} News
 *   `removed` come before `added`: take them off before anything else is drawn. Who was withdrawn
 *   and came again, perhaps as another figurine, is in both. `moving` are held already, unchanged,
 *   and have a clip from now on. `told` are all of whom something was taken in: of those held, too,
 *   the day or the addresses may be others now.
 */

/** The screen's copy of its campaign's feed. See billboard/feed.py for the server's side. */
export class Feed {
  /** @type {Place} */
  place = { epoch: null, seq: 0 };
  /** @type {Map<string, Item>} By submission. */
  items = new Map();
  /** What the next part of the snapshot comes after; null when it is here. @type {number | null} */
  rest = null;
  /** Figurines that the snapshot said are up, while parts of it are to come; who is told of since is
   * none of them. @type {Set<number>} */
  #up = new Set();
  /** Removals heard before their turn, by submission: an older addition may still be under way. */
  #removedAt = new Map();
  /** Epochs that are over; a frame of theirs was on the way too long. */
  #pastEpochs = new Set();
  #now;

  /** @param {{now?: () => number}} [world] `now` is the server's time */
  constructor({ now = Date.now } = {}) {
    this.#now = now;
  }

  /** How many are up, also those who are still to come. */
  get count() {
    const up = new Set(this.#up);
    for (const { figurine } of this.items.values()) up.add(figurine);
    return up.size;
  }

  /** Goes on from what the device kept. Where the feed was is not taken up: the record may have been
   * put back from a backup since, and the snapshot that comes first says where it is.
   * @param {Item[]} items */
  restore(items) {
    this.items = new Map(items.map((item) => [item.submission, item]));
  }

  /** Takes out whose day is over. @returns {string[]} their submissions */
  expire() {
    const over = [...this.items.values()].filter((item) => this.#isOver(item));
    return over.map(({ submission }) => {
      this.items.delete(submission);
      return submission;
    });
  }

  /** This is no screen any more: all of it goes, and the next frame must be a snapshot.
   * @returns {string[]} whom it held */
  forget() {
    const all = [...this.items.keys()];
    this.items.clear();
    this.#enter(null);
    this.#pastEpochs.clear();
    return all;
  }

  /**
   * Takes a frame in. `isBehind` asks for a pull: something between was missed.
   * @param {Snapshot | Rest | Changes} frame
   * @returns {News}
   */
  apply(frame) {
    if (this.#pastEpochs.has(frame.epoch)) return nothing(false);
    if (frame.type === "rest") return this.#applyRest(frame);
    return frame.type === "snapshot" ? this.#applySnapshot(frame) : this.#applyChanges(frame);
  }

  /** Whether a beat knows of more. Beats come in order, so their epoch is the one that holds.
   * @param {Place} head */
  isBehind(head) {
    this.#pastEpochs.delete(head.epoch);
    return head.epoch !== this.place.epoch || head.seq > this.place.seq;
  }

  /** @param {Snapshot} frame @returns {News} */
  #applySnapshot(frame) {
    const isSameEpoch = frame.epoch === this.place.epoch;
    if (isSameEpoch && frame.seq < this.place.seq) return nothing(false);
    if (!isSameEpoch) this.#enter(frame.epoch);
    this.rest = frame.more ?? null;
    this.#up = new Set(this.rest === null ? [] : frame.up);
    const told = new Map(frame.items.map((item) => [item.submission, item]));
    const offered = frame.items.filter((item) => this.#mayShow(item));
    const kept = new Set(offered.filter((item) => this.#isHeld(item)).map((item) => item.submission));
    // Who goes does so with the first part: who stays is in it, or will be in another.
    const removed = [...this.items.values()]
      .filter((held) => (told.has(held.submission) ? !kept.has(held.submission) : !this.#up.has(held.figurine)))
      .map(({ submission }) => submission);
    removed.forEach((submission) => this.items.delete(submission));
    return { removed, ...this.#put(offered), ...this.#arrive(frame) };
  }

  /** Of those alone whom the snapshot named and of whom nothing was heard since: the part may have been
   * read before that. @param {Rest} frame @returns {News} */
  #applyRest(frame) {
    if (frame.after !== this.rest || frame.epoch !== this.place.epoch) return nothing(false);
    const offered = frame.items.filter((item) => this.#up.has(item.figurine) && this.#mayShow(item));
    const removed = offered
      .filter((item) => this.items.has(item.submission) && !this.#isHeld(item))
      .map(({ submission }) => submission);
    removed.forEach((submission) => this.items.delete(submission));
    this.rest = frame.more;
    if (this.rest === null) this.#up.clear();
    return { removed, ...this.#put(offered), isBehind: false };
  }

  /** @param {Changes} frame @returns {News} */
  #applyChanges(frame) {
    if (frame.epoch !== this.place.epoch) return nothing(true);
    const news = frame.changes.filter((change) => change.seq > this.place.seq);
    for (const { submission, seq, item } of news) {
      // Only the last word is told: who comes again was removed before.
      const removedAt = item ? item.seq - 1 : seq; // -1 for who came up in an older epoch
      this.#removedAt.set(submission, Math.max(removedAt, this.#removedAt.get(submission) ?? -1));
      if (item) this.#up.delete(item.figurine);
    }
    const removed = news
      .filter(({ submission, seq, item }) => {
        const held = this.items.get(submission);
        return held ? held.seq < (item ? item.seq : seq) : !item;
      })
      .map(({ submission }) => submission);
    removed.forEach((submission) => this.items.delete(submission));
    // Taking down is always safe; putting up waits until nothing between is missing.
    if (frame.after > this.place.seq) return { ...nothing(true), removed };
    const offered = news.flatMap((change) => (change.item ? [change.item] : []));
    const put = this.#put(offered.filter((item) => this.#mayShow(item)));
    return { removed, ...put, ...this.#arrive(frame) };
  }

  /** Not if it was removed after it was added, or its day is over. @param {Item} item */
  #mayShow(item) {
    if (this.#isOver(item)) return false;
    const removedAt = this.#removedAt.get(item.submission);
    return removedAt === undefined || item.seq > removedAt;
  }

  /** @param {Item} item */
  #isOver({ until }) {
    return until !== undefined && Date.parse(until) <= this.#now();
  }

  /** The same showing of the same figurine. @param {Item} item */
  #isHeld({ submission, seq, figurine }) {
    const held = this.items.get(submission);
    return held?.seq === seq && held.figurine === figurine;
  }

  /** Those that are new or came again, and those that move now. @param {Item[]} items */
  #put(items) {
    const added = items.filter((item) => !this.#isHeld(item));
    const held = items.filter((item) => this.#isHeld(item));
    const moving = held.filter(({ submission, clip }) => clip && !this.items.get(submission)?.clip);
    items.forEach((item) => this.items.set(item.submission, item));
    return { told: items, added, moving };
  }

  /** @param {Place} place */
  #arrive(place) {
    this.place = { epoch: place.epoch, seq: Math.max(this.place.seq, place.seq) };
    // While parts are to come they may tell of who was removed since the first.
    for (const [submission, seq] of this.rest === null ? this.#removedAt : []) {
      if (seq <= this.place.seq) this.#removedAt.delete(submission);
    }
    return { isBehind: false };
  }

  /** @param {string | null} epoch */
  #enter(epoch) {
    if (this.place.epoch !== null) this.#pastEpochs.add(this.place.epoch);
    this.place = { epoch, seq: 0 };
    this.rest = null;
    this.#up.clear();
    this.#removedAt.clear();
  }
}

/** @param {boolean} isBehind @returns {News} */
function nothing(isBehind) {
  return { removed: [], told: [], added: [], moving: [], isBehind };
}
