// What is played when: the feed, the rotation and the stage brought together.

import { PictureGone } from "../lib/pictures.js";
import { givesWay, mostRecent, ranking } from "../lib/rotation.js";

/**
 * @typedef {import("../lib/feed.js").Item} Item
 * @typedef {import("../lib/rotation.js").Shown} Shown
 * @typedef {{item: Item, playId: string, startedMs: number, isRepeat: boolean}} Current
 */

const SHELF_PLACES = 3;
/** Pictures loaded ahead: a big campaign's others come when their turn does. */
const AHEAD = 8;
/** How long a picture that would not load is left out. */
const SKIP_MS = 20_000;
/** How long a change waits for a picture before it takes one that is there. */
const PATIENCE_MS = 2000;
/** Until the next try when no picture could be had. */
const AGAIN_MS = 2000;
/** On coming back, how long to wait for what was missed before the next change of picture. */
const HOLD_MS = 3000;

export class Player {
  #feed;
  #pictures;
  #clips;
  #stage;
  #slotMs;
  #ack;
  #now;
  #onMissing;
  /** @type {Current | null} */
  #current = null;
  /** @type {Map<string, Shown>} */
  #history = new Map();
  /** @type {Map<string, number>} until when, by address: a fresh one is worth a try at once */
  #skipped = new Map();
  #slot = 0;
  /** Counts the changes of mind: what was prepared for an older one is not shown. */
  #turn = 0;
  #shelfTurn = 0;
  #heldUntilMs = 0;

  /**
   * @param {{feed: import("../lib/feed.js").Feed, pictures: import("../lib/pictures.js").Pictures,
   *   clips: import("../lib/pictures.js").Pictures<{url: string, bytes: number}>,
   *   stage: import("./stage.js").Stage, slotMs: number, ack: (ack: any) => void,
   *   now: () => number, onMissing: () => void}} wiring `now` is the server's time;
   *   `onMissing` asks for fresh addresses
   */
  constructor({ feed, pictures, clips, stage, slotMs, ack, now, onMissing }) {
    this.#feed = feed;
    this.#pictures = pictures;
    this.#clips = clips;
    this.#stage = stage;
    this.#slotMs = slotMs;
    this.#ack = ack;
    this.#now = now;
    this.#onMissing = onMissing;
  }

  /** The submission that is on, or null. */
  get hero() {
    return this.#current?.item.submission ?? null;
  }

  /** The way to the server is open again: change nothing until what was missed is known. */
  hold() {
    this.#heldUntilMs = performance.now() + HOLD_MS;
  }

  /** Removals first, in the same task: no frame is drawn between. @param {import("../lib/feed.js").News} news */
  take({ removed, added, moving }) {
    this.#heldUntilMs = 0;
    removed.forEach((submission) => this.#remove(submission));
    if (removed.length > 0) afterPaint(() => this.#tellDark(removed));
    const isNew = added.some((item) => !this.#history.has(item.submission));
    if (this.#current === null || (isNew && givesWay(this.#current, performance.now()))) {
      this.#advance();
    }
    if (removed.length > 0 || added.length > 0) this.#layShelf();
    const on = moving.find(({ submission }) => submission === this.hero);
    if (on) this.#animate(on);
    // Last: what is on next comes through the wire before what may be on later.
    const soon = ranking(added, this.#history, this.hero).slice(0, AHEAD);
    soon.forEach((item) => this.#prefetch(item));
  }

  /** @param {string} submission */
  #remove(submission) {
    this.#stage.remove(submission);
    this.#pictures.drop(submission);
    this.#clips.drop(submission);
    this.#history.delete(submission);
    if (this.hero === submission) {
      this.#end();
      this.#current = null;
    }
  }

  /** @param {string[]} submissions */
  #tellDark(submissions) {
    const place = this.#feed.place;
    submissions.forEach((submission) => this.#ack({ ack: "dark", submission, ...place }));
  }

  /** @param {Item} item */
  async #prefetch(item) {
    try {
      await this.#pictures.get(item);
    } catch {
      return; // Whoever shows it tries again and says so.
    }
    if (this.#isWanted(item)) {
      const { submission, seq } = item;
      this.#ack({ ack: "cached", submission, epoch: this.#feed.place.epoch, seq });
    }
  }

  /** Ends the slot: shows the best of those whose picture can be had. After one that cannot, only
   * pictures that are there come into question: the others would most likely fail alike. */
  async #advance() {
    clearTimeout(this.#slot);
    const turn = (this.#turn += 1);
    const wait = this.#heldUntilMs - performance.now();
    if (wait > 0) {
      this.#slot = setTimeout(() => this.#advance(), wait);
      return;
    }
    const ranked = ranking(this.#playable(), this.#history, this.hero);
    const isThere = (/** @type {Item} */ item) => this.#pictures.isThere(item);
    // With nobody on, whoever is there goes up at once.
    let isHasty = this.#current === null && ranked.some(isThere);
    for (const item of ranked) {
      if (item.submission === this.hero) {
        this.#start(item); // Alone: stays up, and a new play begins.
        return;
      }
      if (isHasty && !isThere(item)) continue;
      if (await this.#swapTo(item, turn)) return;
      if (turn !== this.#turn) return;
      isHasty = true;
    }
    this.#slot = setTimeout(() => this.#advance(), AGAIN_MS);
  }

  #playable() {
    const now = performance.now();
    for (const [picture, untilMs] of this.#skipped) {
      if (untilMs <= now) this.#skipped.delete(picture);
    }
    return [...this.#feed.items.values()].filter(({ picture }) => !this.#skipped.has(picture));
  }

  /** Whether it is up now. @param {Item} item @param {number} turn */
  async #swapTo(item, turn) {
    let card;
    try {
      const picture = await Promise.race([this.#pictures.get(item), late()]);
      card = await this.#stage.prepare(item, picture);
    } catch (error) {
      if (this.#isWanted(item) && !(error instanceof Late)) {
        this.#skipped.set(item.picture, performance.now() + SKIP_MS);
        if (error instanceof PictureGone) this.#onMissing();
      }
      return false;
    }
    if (turn !== this.#turn || !this.#isWanted(item)) {
      this.#stage.discard(card);
      return false;
    }
    this.#stage.show(card);
    this.#start(item);
    this.#layShelf();
    return true;
  }

  /** Still in the feed, and the same showing of it. @param {Item} item */
  #isWanted(item) {
    const held = this.#feed.items.get(item.submission);
    return held?.seq === item.seq && held.figurine === item.figurine;
  }

  /** @param {Item} item */
  #start(item) {
    this.#end();
    const { submission } = item;
    const startedMs = performance.now();
    const shown = this.#history.get(submission);
    const current = { item, playId: newId(), startedMs, isRepeat: shown !== undefined };
    this.#current = current;
    this.#history.set(submission, { times: (shown?.times ?? 0) + 1, lastMs: startedMs });
    afterPaint(() => this.#tellShown(current, null));
    this.#slot = setTimeout(() => this.#advance(), this.#slotMs);
    this.#animate(item);
    this.#prefetchNext();
  }

  /** Lets the one that is on move, once its clip is there: the picture is on first, and stays where
   * the clip cannot be had. @param {Item} item */
  async #animate(item) {
    const latest = this.#feed.items.get(item.submission) ?? item;
    if (!latest.clip) return;
    try {
      const { url } = await this.#clips.get(latest);
      const isOn = this.#current?.item.submission === item.submission;
      if (isOn && this.#isWanted(item)) await this.#stage.animate(item.submission, url);
    } catch (error) {
      this.#missClip(item, error); // Without it the figurine stands still.
    }
  }

  /** Its address ran out, as it does after an hour or two: ask for fresh ones.
   * @param {Item} item @param {unknown} error */
  #missClip(item, error) {
    if (error instanceof PictureGone && this.#isWanted(item)) this.#onMissing();
  }

  #end() {
    if (this.#current) this.#tellShown(this.#current, performance.now() - this.#current.startedMs);
  }

  /** @param {Current} current @param {number | null} durationMs null while it is on */
  #tellShown({ item, playId, startedMs }, durationMs) {
    // Heard out of turn (removed before its first frame) its end is already told.
    if (durationMs === null && this.#current?.playId !== playId) return;
    this.#ack({
      ack: "shown",
      play_id: playId,
      submission: item.submission,
      figurine: item.figurine,
      seq: item.seq,
      started_at: new Date(this.#now() - (performance.now() - startedMs)).toISOString(),
      duration_ms: durationMs === null ? null : Math.round(durationMs),
    });
  }

  #prefetchNext() {
    const [next] = ranking(this.#playable(), this.#history, this.hero);
    if (!next) return;
    this.#pictures.get(next).catch(() => {});
    if (next.clip) this.#clips.get(next).catch((error) => this.#missClip(next, error));
  }

  async #layShelf() {
    const turn = (this.#shelfTurn += 1);
    const items = mostRecent(this.#playable(), this.hero, SHELF_PLACES);
    const loaded = await Promise.all(
      items.map((item) =>
        this.#pictures.get(item).then(
          (picture) => [{ item, picture }],
          () => [],
        ),
      ),
    );
    const lay = await this.#stage.lay(loaded.flat()).catch(() => null);
    if (lay && turn === this.#shelfTurn && items.every((item) => this.#isWanted(item))) lay();
  }
}

/** A picture that is still under way. */
class Late extends Error {}

/** @returns {Promise<never>} */
function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Late()), PATIENCE_MS));
}

/** Calls back when the frame that is due has been drawn, or would have been on a hidden page. */
function afterPaint(/** @type {() => void} */ then) {
  let isDone = false;
  const once = () => {
    if (!isDone) then();
    isDone = true;
  };
  requestAnimationFrame(() => requestAnimationFrame(once));
  setTimeout(once, 250);
}

/** crypto.randomUUID exists on https only. Source: RFC 9562, section 5.4. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
