// What the server must hear, on the disk: it outlives the browser, not only the connection.

import { AGAIN_MS, OPEN_MS, answered, committed, openDatabase } from "./database.js";

/**
 * @typedef {import("./outbox.js").Ack} Ack
 * @typedef {{id: number, ack: Ack}} Entry
 */

export const NAME = "diorama-spool";
/** Read at once. */
const BATCH = 2000;
/** The plays that were on were noted two seconds before the browser ended: what ended since is among the
 * last lines. */
const LATEST = 1000;

/**
 * The outbox's memory. Without a database it remembers nothing, and says so once; nothing rejects.
 */
export class Spool {
  /** @type {IDBDatabase | null} */
  #database = null;
  #owner;
  #hasComplained = false;
  /** The browser let go of it, and it is opened anew: what is on it is still there, perhaps. */
  #isAway = false;
  /** What was on it is known. Before that it is not opened anew: what waits there would be written over. */
  #isRead = false;

  /** @param {{owner: string}} whose plays these are, "screen/campaign"; another screen's were never
   * this one's to tell, those of a campaign that it showed before are */
  constructor({ owner }) {
    this.#owner = screenOf(owner);
  }

  async open() {
    try {
      const make = (/** @type {IDBDatabase} */ database) => {
        database.createObjectStore("acks");
        database.createObjectStore("open");
      };
      this.#database = await openDatabase(NAME, make, () => this.#letGo());
    } catch (error) {
      this.#complain(error);
    }
    this.#isAway = false;
  }

  #letGo() {
    if (!this.#database) return;
    console.warn("the browser let go of the plays");
    this.#database = null;
    if (!this.#isRead) return;
    this.#isAway = true;
    setTimeout(() => this.open(), AGAIN_MS);
  }

  /** The first that waited, in their order, the id of the last of all, and the ends of the plays that
   * were on when the browser ended.
   * @returns {Promise<{entries: Entry[], lastId: number, endings: Ack[]}>} */
  async load() {
    try {
      if (!this.#database) return { entries: [], lastId: 0, endings: [] };
      const entries = await this.#first();
      const last = await answered(this.#acks().openKeyCursor(null, "prev"), OPEN_MS);
      const lastId = Number(last?.key ?? 0);
      const latest = await answered(
        this.#acks().getAll(IDBKeyRange.lowerBound(lastId - LATEST)),
        OPEN_MS,
      );
      const told = new Set(
        latest.filter(({ ack }) => ack.duration_ms !== null).map(({ ack }) => ack.play_id),
      );
      const on = this.#database.transaction("open").objectStore("open").get("now");
      const open = await answered(on, OPEN_MS);
      const left = open && screenOf(open.owner) === this.#owner ? open.acks : [];
      const endings = left.filter((/** @type {Ack} */ ack) => !told.has(ack.play_id));
      this.#isRead = true;
      return { entries, lastId, endings };
    } catch (error) {
      this.#complain(error);
      // What is on it must not be written over: all goes on in memory.
      this.#database = null;
      return { entries: [], lastId: 0, endings: [] };
    }
  }

  /** The first batch of this screen's own. What another left is dropped: all of it stands before. */
  async #first() {
    for (;;) {
      const batch = await answered(this.#acks().getAll(null, BATCH), OPEN_MS);
      const own = batch.filter(({ owner }) => screenOf(owner) === this.#owner);
      if (own.length === batch.length) return own;
      console.error("plays of another screen are dropped", batch.length - own.length);
      const others = batch.filter((entry) => !own.includes(entry)).map(({ id }) => id);
      if (!(await this.remove(others))) throw new Error("another screen's plays could not be dropped");
    }
  }

  /** The first of those with ids after the one and up to the other; null where the disk does not say.
   * @param {number} after @param {number} upTo @param {number} most
   * @returns {Promise<Entry[] | null>} */
  async read(after, upTo, most) {
    if (!this.#database) return this.#isAway ? null : [];
    try {
      return await answered(this.#acks().getAll(IDBKeyRange.bound(after, upTo, true), most));
    } catch (error) {
      this.#complain(error);
      return null;
    }
  }

  /** Throws without a database. */
  #acks() {
    if (!this.#database) throw new Error("no database");
    return this.#database.transaction("acks").objectStore("acks");
  }

  /** Whether it is kept. @param {number} id in their order @param {Ack} ack */
  add(id, ack) {
    return this.#change("acks", (store) => store.put({ id, ack, owner: this.#owner }, id));
  }

  /** @param {number[]} ids */
  remove(ids) {
    return this.#change("acks", (store) => ids.forEach((id) => store.delete(id)));
  }

  /** The plays that are on, as if they ended now: should the browser be killed, they did.
   * @param {Ack[]} acks */
  note(acks) {
    this.#change("open", (store) => store.put({ acks, owner: this.#owner }, "now"));
  }

  /** Whether it is done. @param {string} name @param {(store: IDBObjectStore) => void} change */
  async #change(name, change) {
    if (!this.#database) return false;
    try {
      const transaction = this.#database.transaction(name, "readwrite", { durability: "relaxed" });
      change(transaction.objectStore(name));
      await committed(transaction);
      return true;
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  /** @param {unknown} error */
  #complain(error) {
    if (!this.#hasComplained) console.error("plays are kept in memory only", error);
    this.#hasComplained = true;
  }
}

/** @param {string} owner */
function screenOf(owner) {
  return owner.split("/")[0];
}
