// Pictures and clips of the feed: in memory what is on soon, on the device what its shelf has room
// for (shelf.js), and never under an address: a removal leaves nothing behind.

/**
 * @typedef {import("./feed.js").Item} Item
 * @typedef {{url: string, bytes: number, aspect: number, solid: import("./bounds.js").Box}} Picture
 *   `url` is a blob's: it needs no network and outlives the signed address.
 * @typedef {{has: (item: Item) => boolean,
 *   read: (item: Item) => Promise<{blob: Blob, measured: any} | null>,
 *   keep: (item: Item, blob: Blob, measured: object) => Promise<void>,
 *   spoil: (item: Item) => Promise<void>}} Drawer
 */

/** About 0.3 MB each; the decoded ones on the screen are five. */
const MOST = 96;
/** A download that stalls must not hold its connection and the shelf up. */
const STALL_MS = 8000;
/** Nor one that drips: at 0.2 Mbit/s ten pictures at once are here by then. */
const LOAD_MS = 120_000;

/** Not given to anybody, or by this address no more. */
const GONE = new Set([403, 404, 410]);

export class PictureGone extends Error {}

/** @type {Drawer} */
const NO_DRAWER = {
  has: () => false,
  read: async () => null,
  keep: async () => {},
  spoil: async () => {},
};

/**
 * Fetches each picture once and keeps the ones used last.
 * @template {{url: string, bytes: number}} [Kept=Picture]
 */
export class Pictures {
  /** @type {Map<string, {seq: number, isThere: boolean, bytes: number,
   *   abort: AbortController, picture: Promise<Kept>}>} */
  #held = new Map();
  #fetch;
  #measure;
  #address;
  #most;
  #mostBytes;
  #drawer;

  /**
   * @param {{fetch: typeof fetch, measure: (blob: Blob) => Promise<Omit<Kept, "url" | "bytes">>,
   *   address?: (item: Item) => string, most?: number, mostBytes?: number,
   *   drawer?: Drawer}} world
   *   `address` says which of an item's files is meant; `most` and `mostBytes` how many are kept in
   *   memory; `drawer` keeps them on the device
   */
  constructor({
    fetch,
    measure,
    address = (item) => item.picture,
    most = MOST,
    mostBytes = Infinity,
    drawer = NO_DRAWER,
  }) {
    this.#fetch = fetch;
    this.#measure = measure;
    this.#address = address;
    this.#most = most;
    this.#mostBytes = mostBytes;
    this.#drawer = drawer;
  }

  /**
   * Rejects with PictureGone when the server no longer gives it, or when it was dropped meanwhile.
   * @param {Item} item
   * @returns {Promise<Kept>}
   */
  async get(item) {
    const known = this.#held.get(item.submission);
    if (known && known.seq !== item.seq) this.drop(item.submission);
    const entry = this.#held.get(item.submission) ?? this.#begin(item);
    // Used last is kept longest: a Map remembers the order of setting.
    this.#held.delete(item.submission);
    this.#held.set(item.submission, entry);
    this.#makeRoom();
    return entry.picture;
  }

  /** Never at the cost of the last two: the one that is on and the next. */
  #makeRoom() {
    let bytes = 0;
    for (const entry of this.#held.values()) bytes += entry.bytes;
    for (const [submission, entry] of this.#held) {
      const isTooMuch = this.#held.size > this.#most || bytes > this.#mostBytes;
      if (!isTooMuch || this.#held.size <= 2) break;
      bytes -= entry.bytes;
      this.drop(submission);
    }
  }

  /** Whether it can be shown without a network. @param {Item} item */
  isThere(item) {
    const entry = this.#held.get(item.submission);
    return (entry?.seq === item.seq && entry.isThere) || this.#drawer.has(item);
  }

  /** Puts it on the device for later, without holding it. Rejects as `get` does. @param {Item} item */
  async stock(item) {
    if (!this.#drawer.has(item)) await this.#download(item);
  }

  /** What was kept of it cannot be drawn: it is fetched anew. @param {Item} item */
  spoil(item) {
    this.drop(item.submission);
    if (this.#drawer.has(item)) this.#drawer.spoil(item);
  }

  /** Lets a picture go from memory, under way or held. @param {string} submission */
  drop(submission) {
    const entry = this.#held.get(submission);
    if (!entry) return;
    this.#held.delete(submission);
    entry.abort.abort(new PictureGone(submission));
    entry.picture.then(({ url }) => URL.revokeObjectURL(url)).catch(() => {});
  }

  /** @param {Item} item */
  #begin(item) {
    const abort = new AbortController();
    const picture = this.#load(item, abort.signal);
    const entry = { seq: item.seq, isThere: false, bytes: 0, abort, picture };
    this.#held.set(item.submission, entry);
    picture.then(
      ({ bytes }) => {
        entry.isThere = true;
        entry.bytes = bytes;
        this.#makeRoom();
      },
      () => {
        if (this.#held.get(item.submission) === entry) this.#held.delete(item.submission);
      },
    );
    return entry;
  }

  /** @param {Item} item @param {AbortSignal} dropped @returns {Promise<Kept>} */
  async #load(item, dropped) {
    const kept = await this.#drawer.read(item);
    const { blob, measured } = kept ?? (await this.#download(item, dropped));
    dropped.throwIfAborted();
    return /** @type {Kept} */ ({ url: URL.createObjectURL(blob), bytes: blob.size, ...measured });
  }

  /** @param {Item} item @param {AbortSignal} [dropped] */
  async #download(item, dropped = new AbortController().signal) {
    const patience = new Patience();
    const signal = AbortSignal.any([dropped, patience.signal, AbortSignal.timeout(LOAD_MS)]);
    try {
      // no-store: what is recalled must not lie in the browser's cache either.
      const response = await this.#fetch(this.#address(item), { cache: "no-store", signal });
      if (GONE.has(response.status)) throw new PictureGone(item.submission);
      // Its address is as good as before: asking for all addresses anew would make an ailing server worse.
      if (!response.ok) throw new Error(`no picture: ${response.status}`);
      const blob = await wholeOf(response, () => patience.renew());
      const measured = await this.#measure(blob);
      signal.throwIfAborted();
      this.#drawer.keep(item, blob, measured);
      return { blob, measured };
    } finally {
      patience.end();
    }
  }
}

/** Lasts `STALL_MS` from the last `renew` on. */
class Patience {
  #abort = new AbortController();
  #timer = 0;

  constructor() {
    this.renew();
  }

  get signal() {
    return this.#abort.signal;
  }

  renew() {
    this.end();
    const reason = new DOMException("the download stalls", "TimeoutError");
    this.#timer = setTimeout(() => this.#abort.abort(reason), STALL_MS);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

/** @param {Response} response @param {() => void} onChunk @returns {Promise<Blob>} */
async function wholeOf(response, onChunk) {
  const reader = response.body?.getReader();
  const chunks = [];
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    chunks.push(read.value);
    onChunk();
  }
  return new Blob(chunks, { type: response.headers.get("Content-Type") ?? "" });
}
