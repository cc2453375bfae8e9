// Plays: the feed, whose turn it is, and the stage brought together.

import { riders } from "../lib/belt.js";
import { PictureGone } from "../lib/pictures.js";
import { mostRecent, ranking } from "../lib/rotation.js";
import { Cards, isOnPage, Late } from "./cards.js";
import { frameAt, painted, Showings } from "./showings.js";
import { AGAIN_MS, Turns } from "./turns.js";

/** @typedef {import("../lib/feed.js").Item} Item */

/** Pictures loaded ahead: a big campaign's others come when their turn does. */
const AHEAD = 8;
/** On coming back, how long to wait for what was missed before the next change of picture. */
const HOLD_MS = 3000;
/** At a cold start, where what the device kept may have been recalled while it was off: until the
 * server answers, or so long after the device gave it out: networks come up later than browsers do,
 * and disks may be slow. */
const COLD_HOLD_MS = 30_000;

export class Player {
  #feed;
  #pictures;
  #clips;
  #stage;
  #ack;
  #now;
  #onMissing;
  #forget;
  #onShown;
  #layout;
  #cards;
  #on;
  #turns;
  #slot = 0;
  /** Counts the changes of mind: what was prepared for an older one is not shown. */
  #turn = 0;
  #shelfTurn = 0;
  #heldUntilMs = 0;
  /** No failed try ends this hold. */
  #coldUntilMs = 0;
  /** How many places the plan asks for. */
  #divideInto = 1;
  #isResting = false;

  /**
   * @param {{feed: import("../lib/feed.js").Feed, pictures: import("../lib/pictures.js").Pictures,
   *   clips: import("../lib/pictures.js").Pictures<{url: string, bytes: number}>,
   *   stage: import("./stage.js").Stage, slotMs: number, ack: (ack: any) => void,
   *   now: () => number, onMissing: () => void,
   *   forget?: (submissions: string[]) => Promise<void>,
   *   onShown?: (submission: string, isFirst: boolean) => void}} wiring `now` is the server's time; `onMissing` asks
   *   for fresh addresses; `forget` resolves when the device keeps nothing of them
   */
  constructor({
    feed,
    pictures,
    clips,
    stage,
    slotMs,
    ack,
    now,
    onMissing,
    forget = async () => {},
    onShown = () => {},
  }) {
    this.#feed = feed;
    this.#pictures = pictures;
    this.#clips = clips;
    this.#stage = stage;
    this.#ack = ack;
    this.#now = now;
    this.#onMissing = onMissing;
    this.#forget = forget;
    this.#onShown = onShown;
    this.#layout = stage.layout;
    this.#cards = new Cards({ pictures, stage });
    this.#on = new Showings({
      ack,
      now,
      layout: stage.layout,
      sees: (place) => stage.sees?.(place) ?? true,
    });
    this.#turns = new Turns({ feed, on: this.#on, slotMs, now });
    stage.onLayout = (layout) => this.#use(layout);
  }

  /** The submission that is on, in the first place where there are several, or null. */
  get hero() {
    return this.#on.hero;
  }

  /** @param {import("../lib/layouts.js").Layout} layout */
  #use(layout) {
    this.#on.use(layout);
    this.#layout = layout;
    this.#turns.replace();
    this.#cards.clear();
    this.#advance();
    this.#layShelf();
  }

  /**
   * Paused, whoever is on stays, and whoever is taken down leaves their box empty. Black, all stay
   * beneath, and what nobody sees is no play.
   * @param {{isPaused: boolean, isBlanked: boolean}} still
   */
  obey({ isPaused, isBlanked }) {
    const was = { isPaused: this.#turns.isPaused, isBlanked: this.#turns.isBlanked };
    if (isPaused === was.isPaused && isBlanked === was.isBlanked) return;
    if (isBlanked && !was.isBlanked) this.#on.hide();
    this.#turns.obey({ isPaused, isBlanked });
    if (!isPaused) this.#stage.divide(this.#divideInto);
    if (was.isBlanked && !isBlanked) this.#seeAgain();
    this.#advance();
    this.#layShelf();
  }

  /** Whoever stands there is on anew. */
  #seeAgain() {
    for (const place of this.#on.oldestFirst) {
      const on = this.#on.at(place);
      if (on) this.#start(on.item, place);
    }
  }

  /** The way to the server is open again: change nothing until what was missed is known. */
  hold() {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, performance.now() + HOLD_MS);
  }

  /** The feed holds what the device kept, or held before it slept: draws nothing more of it until the
   * server has spoken. */
  restore() {
    this.#heldUntilMs = this.#coldUntilMs = performance.now() + COLD_HOLD_MS;
    this.#advance();
  }

  /** There is no server to wait for just now. At a cold start one may come with the network. */
  release() {
    this.#heldUntilMs = this.#coldUntilMs;
    if (this.#on.empty !== -1) this.#advance();
  }

  /** The device drops frames, and figurines stand still for a while; or it is over.
   * @param {boolean} isResting */
  rest(isResting) {
    this.#isResting = isResting;
    if (isResting) this.#stage.still();
    else this.#on.items.forEach((item) => this.#animate(item));
  }

  /** Whether nobody's first showing would be cut short. */
  get isQuiet() {
    return this.#on.isQuiet && !this.#turns.isPaused;
  }

  /** The plays that are on, as if they ended now. */
  get plays() {
    return this.#on.plays;
  }

  /** Removals first, in the same task: no frame is drawn between. @param {import("../lib/feed.js").News} news */
  take({ removed, added, moving }) {
    this.#heldUntilMs = this.#coldUntilMs = 0;
    this.#takeDown(removed).then(() => this.#tellDark(removed));
    this.#stage.tally(this.#feed.count);
    if (this.#turns.due() !== -1) this.#advance();
    else if (this.#on.places > 1) this.#schedule();
    if (removed.length > 0 || added.length > 0) this.#layShelf();
    moving.filter(({ submission }) => this.#on.placeOf(submission) !== -1).forEach((on) => this.#animate(on));
    // Last: what is on next comes through the wire before what may be on later.
    const soon = ranking(added, this.#on.history, this.hero).slice(0, AHEAD);
    soon.forEach((item) => this.#prefetch(item));
  }

  /** Their day is over, or this is no screen any more: the server knows. @param {string[]} submissions */
  drop(submissions) {
    if (submissions.length === 0) return;
    this.#takeDown(submissions);
    if (this.#on.empty !== -1) this.#advance();
    this.#layShelf();
  }

  /** Resolves when nothing of them is drawn and nothing of them is kept.
   * @param {string[]} submissions */
  async #takeDown(submissions) {
    // Begun first: whatever goes wrong with what is drawn, nothing of them is kept.
    const forgotten = submissions.length > 0 ? this.#forget(submissions) : null;
    submissions.forEach((submission) => this.#remove(submission));
    if (forgotten) await Promise.all([painted(), forgotten]);
  }

  /** The server's plan: who is next, until it runs out. @param {import("../lib/plan.js").PlanFrame} frame */
  follow(frame) {
    this.#turns.follow(frame);
    this.#divideInto = frame.places;
    if (!this.#turns.isPaused) this.#stage.divide(frame.places);
    if (this.#turns.due() !== -1) {
      this.#advance();
      return;
    }
    this.#schedule();
    this.#prefetchNext();
  }

  /** Waits for the frame in which the plan has somebody begin. @param {Item} item @param {number} place */
  async #moment(item, place) {
    const atMs = this.#turns.slotAtMs(item, place);
    if (atMs !== null && atMs > this.#now()) await frameAt(atMs, this.#now);
  }

  /** @param {string} submission */
  #remove(submission) {
    this.#turns.vacate(submission);
    this.#stage.remove(submission);
    this.#cards.forget(submission);
    this.#pictures.drop(submission);
    this.#clips.drop(submission);
    this.#on.forget(submission);
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
    const place = this.#turns.due();
    if (place === -1) {
      this.#schedule();
      return;
    }
    const on = this.#on.at(place);
    const current = on?.item.submission ?? null;
    const ranked = this.#turns.ranked(place);
    const isThere = (/** @type {Item} */ item) => this.#cards.isThere(item);
    // With nobody on, whoever is there goes up at once.
    let isHasty = on === null && ranked.some(isThere);
    for (const item of ranked) {
      if (!this.#isWanted(item)) continue; // Taken down while another's picture was waited for.
      if (item.submission === current) {
        if (this.#turns.goesOn(place)) {
          this.#schedule();
          return;
        }
        await this.#moment(item, place);
        if (turn !== this.#turn || !this.#isWanted(item)) return;
        this.#start(item, place); // Nobody else: stays up, and a new play begins.
        return;
      }
      if (isHasty && !isThere(item)) continue;
      if (await this.#swapTo(item, place, turn)) return;
      if (turn !== this.#turn) return;
      isHasty = true;
    }
    this.#slot = setTimeout(() => this.#advance(), AGAIN_MS);
  }

  #schedule() {
    clearTimeout(this.#slot);
    const { waitMs } = this.#turns;
    if (waitMs !== null) this.#slot = setTimeout(() => this.#advance(), waitMs);
  }

  /** Whether it is up now. @param {Item} item @param {number} place @param {number} turn */
  async #swapTo(item, place, turn) {
    let card;
    try {
      card = await this.#cards.take(item, place);
    } catch (error) {
      this.#skip(item, error, this.#on.at(place) !== null);
      return false;
    }
    await this.#moment(item, place);
    if (turn !== this.#turn || !this.#isWanted(item) || !isOnPage(card)) {
      this.#cards.discard(card);
      return false;
    }
    this.#stage.show(card);
    this.#start(item, place);
    this.#layShelf();
    return true;
  }

  /** Leaves out who could not be drawn. Where somebody is on, whoever goes up instead of a late one
   * has a while of their own. @param {Item} item @param {unknown} error @param {boolean} isOn */
  #skip(item, error, isOn) {
    const isLate = error instanceof Late;
    if (isLate ? !isOn : !this.#isWanted(item)) return;
    this.#turns.skip(item, isLate);
    if (error instanceof PictureGone) this.#onMissing();
  }

  /** Still in the feed, and the same showing of it. @param {Item} item */
  #isWanted(item) {
    const held = this.#feed.items.get(item.submission);
    return held?.seq === item.seq && held.figurine === item.figurine;
  }

  /** @param {Item} item @param {number} place */
  #start(item, place) {
    const isFirst = !this.#on.history.has(item.submission);
    this.#on.start(item, place, this.#turns.slotLeftMs(place), this.#turns.slotAtMs(item, place));
    this.#onShown(item.submission, isFirst);
    this.#schedule();
    this.#animate(item);
    this.#prefetchNext();
  }

  /** Lets the one that is on move, once its clip is there: the picture is on first, and stays where
   * the clip cannot be had. @param {Item} item */
  async #animate(item) {
    const latest = this.#feed.items.get(item.submission) ?? item;
    if (!latest.clip || !this.#isMoving()) return;
    try {
      const { url } = await this.#clips.get(latest);
      const isOn = this.#on.placeOf(item.submission) !== -1;
      if (isOn && this.#isMoving() && this.#isWanted(item)) await this.#stage.animate(item.submission, url);
    } catch (error) {
      this.#missClip(item, error); // Without it the figurine stands still.
    }
  }

  /** Its address ran out, as it does after an hour or two: ask for fresh ones.
   * @param {Item} item @param {unknown} error */
  #missClip(item, error) {
    if (error instanceof PictureGone && this.#isWanted(item)) this.#onMissing();
  }

  /** Whether figurines move: one or two films run on most devices, sixteen do not. */
  #isMoving() {
    // Films of two computers are not in step, and one figurine may be on both.
    return this.#layout.kind !== "mosaic" && !this.#isResting && !this.#stage.isPart;
  }

  #prefetchNext() {
    const { next } = this.#turns;
    if (!next) return;
    const { item, place } = next;
    const turn = this.#turn;
    this.#cards.makeReady(item, place, () => turn === this.#turn && this.#isWanted(item));
    if (item.clip && this.#isMoving()) this.#clips.get(item).catch((error) => this.#missClip(item, error));
  }

  /** The best whose pictures are there; a late one comes to its place once it is. */
  async #layShelf() {
    const turn = (this.#shelfTurn += 1);
    if (this.#turns.isStill || performance.now() < this.#coldUntilMs) return;
    const { small, steps } = this.#layout;
    const count = small.columns * small.rows;
    const ranked = steps
      ? riders(this.#turns.playable, this.#on.history, this.hero)
      : mostRecent(this.#turns.playable, this.hero);
    const isThere = (/** @type {Item} */ item) => this.#pictures.isThere(item);
    const comes = () => turn === this.#shelfTurn && this.#layShelf();
    for (const item of ranked.slice(0, count)) {
      if (!isThere(item)) this.#pictures.get(item).then(comes, () => {});
    }
    const items = ranked.filter(isThere).slice(0, count);
    const loaded = await Promise.all(
      items.map((item) =>
        this.#pictures.get(item).then(
          (picture) => [{ item, picture }],
          () => [],
        ),
      ),
    );
    const lay = await this.#stage.lay(loaded.flat(), (item) => this.#pictures.spoil(item));
    if (turn === this.#shelfTurn && items.every((item) => this.#isWanted(item))) lay();
  }
}
