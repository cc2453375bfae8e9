// What a screen keeps on its device, so that it plays without a network: the feed's place, its last
// items, their pictures and, as far as there is room, their clips. What is taken down is deleted.

import { AGAIN_MS, answered, committed, inTime, OPEN_MS } from "./database.js";
import { Owed } from "./owed.js";
import { clear, deletion, heldOf, keyOf, KINDS, openStores, remove, wipe } from "./stores.js";

/**
 * @typedef {import("./feed.js").Item} Item
 * @typedef {import("./feed.js").Place} Place
 * @typedef {import("./stores.js").File} File
 * @typedef {import("./stores.js").Held} Held
 * @typedef {import("./stores.js").Kind} Kind
 * @typedef {{times: number, item: Item}} Card
 */

const ITEMS_MOST = 300;
const BYTES_MOST = 768 * 2 ** 20;
/** Of what the browser grants; the rest is for the shell and for what is not counted here. */
const SHARE = 0.6;
/** Full enough that nothing more is loaded ahead. */
const NEARLY = 0.9;
/** Given up when the disk is full before the browser said so. */
const GIVE_UP = 0.25;
/** A disk that was full is not tried again meanwhile. */
const FULL_MS = 300_000;

/** Holds nothing until it is opened. Every method but `open` and `load` is safe to call without waiting;
 * nothing here rejects. */
export class Shelf {
  /** @type {IDBDatabase | null} */
  #database = null;
  /** Nothing that lies there is about to be cleared: files may be laid beside it. */
  #isReady = false;
  #owed;
  /** @type {Map<string, Card>} by submission */
  #cards = new Map();
  /** @type {Map<string, Held>} by key */
  #held = new Map();
  #budgetBytes = BYTES_MOST;
  #fullUntilMs = 0;
  /** Whether room was made for nothing: the disk took no picture since. */
  #isInVain = false;
  /** Without a database: nothing of before is left either. */
  #isEmpty = false;
  /** Where the feed is. @type {Place | null} */
  #at = null;
  /** Who was dropped while it is opened: what is read of them was written before. @type {Set<string>} */
  #dropped = new Set();

  #owner;
  #quota;

  /** @param {{owner: string, owed?: Owed, quota?: StorageManager}} world
   *   what another `owner` left behind is deleted */
  constructor({ owner, owed = new Owed(localStorage), quota = navigator.storage }) {
    this.#owner = owner;
    this.#owed = owed;
    this.#quota = quota;
  }

  /** Carries out the deletions that are owed, before anything of it is given out. Where that fails, all
   * of it is thrown away. */
  async open() {
    try {
      this.#database = await openStores(() => this.#letGo());
      this.#isEmpty = false;
      await this.#takeOver();
      await this.#askQuota();
      this.#isReady = this.#database !== null;
      this.#quota?.persist?.().catch(() => {});
    } catch (error) {
      console.error("nothing is kept on this device", error);
      this.#database = null;
      this.#isEmpty = await wipe();
    }
  }

  /** Nothing is held until it is opened anew, with whom it knew. */
  #letGo() {
    if (!this.#database) return;
    console.warn("the browser let go of the shelf");
    this.#database = null;
    this.#isReady = false;
    this.#held.clear();
    setTimeout(async () => {
      const known = [...this.#cards.values()].map(({ item }) => item);
      await this.open();
      const still = known.filter(({ submission }) => this.#cards.has(submission));
      if (this.#at) await this.follow(this.#at, still);
    }, AGAIN_MS);
  }

  /** Where the feed was and what may still be shown; whose day is over is deleted.
   * @param {number} nowMs the server's time
   * @returns {Promise<{place: Place | null, items: Item[]}>} */
  async load(nowMs) {
    const cards = [...this.#cards.values()].map(({ item }) => item);
    const isOver = (/** @type {Item} */ { until }) => until != null && Date.parse(until) <= nowMs;
    await this.forget(cards.filter(isOver).map(({ submission }) => submission));
    const place = await this.#place().catch(() => null);
    if (!place) {
      // Nobody could say what was recalled since: a snapshot is compared with the feed alone.
      await this.forget(cards.map(({ submission }) => submission));
      return { place, items: [] };
    }
    return { place, items: cards.filter((item) => !isOver(item)) };
  }

  /** Deletes all of these; once it resolves nothing of them is kept, or it is owed and told.
   * @param {string[]} submissions */
  async forget(submissions) {
    for (const submission of submissions) this.#dropCard(submission);
    if (submissions.length === 0 || this.#isEmpty) return;
    this.#owed.note(submissions);
    try {
      if (!this.#database) throw new Error("no database");
      await committed(deletion(this.#database, submissions));
      this.#owed.crossOut(submissions);
    } catch (error) {
      console.error("not deleted, tried again at the next start", submissions, error);
    }
  }

  /** Takes down where the feed is, and what came. @param {Place} place @param {Item[]} items */
  async follow(place, items) {
    this.#at = place;
    for (const item of items) {
      const times = this.#cards.get(item.submission)?.times ?? 0;
      this.#cards.set(item.submission, { times, item });
    }
    const surplus = [...this.#cards.values()]
      .sort((one, other) => other.item.seq - one.item.seq)
      .slice(ITEMS_MOST)
      .map(({ item }) => item.submission);
    surplus.forEach((submission) => this.#dropCard(submission));
    if (!this.#database) return;
    try {
      const transaction = this.#write(["items", "files", "meta"]);
      remove(transaction, surplus);
      for (const { submission } of items) {
        const card = this.#cards.get(submission);
        if (card) transaction.objectStore("items").put({ submission, ...card });
      }
      transaction.objectStore("meta").put({ ...place }, "place");
      await committed(transaction);
    } catch (error) {
      console.warn("the feed was not kept", error);
    }
  }

  /** Counts a showing: who was shown most goes first when room is short. @param {string} submission */
  async shown(submission) {
    const card = this.#cards.get(submission);
    if (!card || !this.#database) return;
    card.times += 1;
    try {
      this.#write(["items"]).objectStore("items").put({ submission, ...card });
    } catch (error) {
      console.warn("a showing was not counted", error);
    }
  }

  /** @param {string} submission */
  wasShown(submission) {
    return (this.#cards.get(submission)?.times ?? 0) > 0;
  }

  /** Whether more may be loaded ahead. */
  get hasRoom() {
    return this.#isReady && !this.#isFull && this.#bytes() < this.#budgetBytes * NEARLY;
  }

  get #isFull() {
    return performance.now() < this.#fullUntilMs;
  }

  /** How much it holds: pictures, and bytes of all, of how many it may. */
  get held() {
    const items = [...this.#held.keys()].filter((key) => key.endsWith("/picture")).length;
    return { items, bytes: this.#bytes(), quotaBytes: this.#database ? this.#budgetBytes : 0 };
  }

  /** Where files of one kind lie; for Pictures. @param {Kind} kind */
  drawer(kind) {
    return {
      /** @param {Item} item */
      has: (item) => this.#isHeld(item, kind),
      /** Whether it would be kept if it came. @param {Item} item */
      lacks: (item) => this.#isWanted(item) && !this.#isHeld(item, kind),
      /** @param {Item} item */
      read: (item) => this.#read(item, kind),
      /** @param {Item} item @param {Blob} blob @param {object} measured */
      keep: (item, blob, measured) => this.#keep(item, kind, blob, measured),
      /** @param {Item} item */
      spoil: (item) => this.#giveUp([keyOf(item.submission, kind)]),
    };
  }

  /** Deletes everybody. */
  async wipe() {
    this.#cards.clear();
    this.#held.clear();
    this.#at = null;
    try {
      if (!this.#database) throw new Error("no database");
      await clear(this.#database, this.#owner);
    } catch (error) {
      console.error("the shelf was not wiped", error);
      this.#database?.close();
      this.#database = null;
      this.#isReady = false;
      this.#isEmpty = await wipe();
    }
  }

  /** A browser that does not say costs nothing that is kept: a disk that is full says so. */
  async #askQuota() {
    try {
      const { quota } = await inTime(this.#quota.estimate());
      if (quota) this.#budgetBytes = Math.min(BYTES_MOST, quota * SHARE);
    } catch (error) {
      console.warn("the browser does not say how much it grants", error);
    }
  }

  async #takeOver() {
    const database = /** @type {IDBDatabase} */ (this.#database);
    const meta = database.transaction("meta").objectStore("meta");
    if ((await answered(meta.get("owner"), OPEN_MS)) !== this.#owner) {
      await clear(database, this.#owner);
    }
    this.#dropped.clear();
    const owed = this.#owed.all;
    if (owed.length > 0) {
      await committed(deletion(database, owed));
      this.#owed.crossOut(owed);
    }
    const reading = database.transaction(["items", "files"]);
    const [cards, files] = await Promise.all([
      answered(reading.objectStore("items").getAll(), OPEN_MS),
      answered(reading.objectStore("files").getAll(), OPEN_MS),
    ]);
    for (const { submission, ...card } of cards) {
      // What is known already is newer.
      if (this.#cards.has(submission) || this.#dropped.has(submission)) continue;
      this.#cards.set(submission, card);
    }
    // Nobody would know when their day is over.
    const strays = files.filter(({ submission }) => !this.#cards.has(submission));
    if (strays.length > 0) {
      await committed(deletion(database, strays.map(({ submission }) => submission)));
    }
    for (const file of files) {
      if (this.#cards.has(file.submission)) this.#held.set(file.key, heldOf(file));
    }
  }

  /** @returns {Promise<Place | null>} */
  async #place() {
    const meta = this.#database?.transaction("meta").objectStore("meta");
    return meta ? ((await answered(meta.get("place"))) ?? null) : null;
  }

  /** @param {Item} item @param {Kind} kind */
  #isHeld(item, kind) {
    const held = this.#held.get(keyOf(item.submission, kind));
    return held?.seq === item.seq && held.figurine === item.figurine;
  }

  /** @param {Item} item @param {Kind} kind @returns {Promise<File | null>} */
  async #read(item, kind) {
    if (!this.#database || !this.#isHeld(item, kind)) return null;
    try {
      const files = this.#database.transaction("files").objectStore("files");
      const file = await answered(files.get(keyOf(item.submission, kind)));
      return file?.seq === item.seq && file.figurine === item.figurine ? file : null;
    } catch (error) {
      console.warn("a picture could not be read", error);
      return null;
    }
  }

  /** @param {Item} item @param {Kind} kind @param {Blob} blob @param {object} measured */
  async #keep(item, kind, blob, measured) {
    if (this.#isFull) return;
    const { submission, seq, figurine } = item;
    const file = { key: keyOf(submission, kind), submission, kind, seq, figurine, blob, measured };
    try {
      await this.#store(file);
    } catch (error) {
      const isQuota = error instanceof DOMException && error.name === "QuotaExceededError";
      if (isQuota) await this.#makeRoom(file);
      else console.warn("a picture was not kept", error);
    }
  }

  /** The browser gives less than it said: pictures ahead are what it costs, once. Others that fail at the
   * same moment find the disk full, and where it takes nothing all the same no more are given up.
   * @param {File} file that did not fit */
  async #makeRoom(file) {
    if (this.#isFull) return;
    this.#fullUntilMs = performance.now() + FULL_MS;
    if (this.#isInVain) return;
    this.#isInVain = true;
    await this.#giveUp(this.#leastMissed(Math.max(this.#bytes() * GIVE_UP, file.blob.size)));
    this.#budgetBytes = Math.max(this.#bytes(), file.blob.size);
    console.warn("the disk is full: fewer pictures are kept", this.#held.size);
    await this.#store(file).catch(() => {});
  }

  /** In place of what there is no room for beside it. Only of who is still wanted: a removal may have
   * overtaken the download. With its row, which says until when: a disk that was full may lack that.
   * @param {File} file */
  async #store(file) {
    if (!this.#isReady || !this.#isWanted(file)) return;
    const surplus = this.#leastMissed(this.#bytes() + file.blob.size - this.#budgetBytes);
    const transaction = this.#write(["items", "files"]);
    const files = transaction.objectStore("files");
    files.put(file);
    const { submission } = file;
    transaction.objectStore("items").put({ submission, ...this.#cards.get(submission) });
    surplus.filter((key) => key !== file.key).forEach((key) => files.delete(key));
    await committed(transaction);
    surplus.forEach((key) => this.#held.delete(key));
    this.#fullUntilMs = 0;
    this.#isInVain = false;
    // Taken down meanwhile, that deletion came after this writing and took it along.
    if (this.#isWanted(file)) this.#held.set(file.key, heldOf(file));
  }

  /** @param {{submission: string, seq: number, figurine: number}} file */
  #isWanted({ submission, seq, figurine }) {
    const item = this.#cards.get(submission)?.item;
    return item?.seq === seq && item.figurine === figurine;
  }

  /** Clips before pictures, then who was shown most, the oldest first. @param {number} bytes */
  #leastMissed(bytes) {
    const ranked = [...this.#held].sort(([one, a], [other, b]) => {
      const isClip = Number(other.endsWith("/clip")) - Number(one.endsWith("/clip"));
      return isClip || this.#times(other) - this.#times(one) || a.seq - b.seq;
    });
    let found = 0;
    return ranked.flatMap(([key, held]) => {
      if (found >= bytes) return [];
      found += held.bytes;
      return [key];
    });
  }

  /** @param {string} key */
  #times(key) {
    return this.#cards.get(key.slice(0, key.lastIndexOf("/")))?.times ?? 0;
  }

  /** @param {string[]} keys */
  async #giveUp(keys) {
    keys.forEach((key) => this.#held.delete(key));
    try {
      const transaction = this.#write(["files"]);
      keys.forEach((key) => transaction.objectStore("files").delete(key));
      await committed(transaction);
    } catch (error) {
      console.warn("room could not be made", error);
    }
  }

  /** @param {string} submission */
  #dropCard(submission) {
    this.#cards.delete(submission);
    this.#dropped.add(submission);
    for (const kind of KINDS) this.#held.delete(keyOf(submission, kind));
  }

  #bytes() {
    return [...this.#held.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Throws without a database. @param {string[]} stores */
  #write(stores) {
    if (!this.#database) throw new Error("no database");
    return this.#database.transaction(stores, "readwrite");
  }
}
