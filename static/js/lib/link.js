// The way to the server: a socket, and plain http while there is none.

import { backoffMs } from "./backoff.js";

/** @typedef {import("./feed.js").Place} Place */

const POLL_MS = 5000;
/** Three heartbeats. */
const SILENT_MS = 15000;
const PULL_AGAIN_MS = 4000;
/** Jittered over its upper half: between one second and thirty. */
const BACKOFF_FIRST_MS = 2000;
const BACKOFF_MOST_MS = 30000;
/** The server hangs up after a hundred frames of any kind a beat (billboard/consumers.py). */
const ACK_FRAMES_PER_BEAT = 20;
/** So do these, each when the one before is here: 6,000 people within a beat, where the line is quick. */
const PARTS_PER_BEAT = 20;
const BACKOFF = { firstMs: BACKOFF_FIRST_MS, mostMs: BACKOFF_MOST_MS };
const UNPAIRED = 4401;
const BAD_FRAME = 4400;
/** What a post is answered instead. */
const REFUSED = 400;

/**
 * Speaks billboard/protocol.py. Says `onFrame` what came, over whichever way it came.
 */
export class Link {
  #socketUrl;
  #feedUrl;
  #acksUrl;
  #outbox;
  #here;
  #rest;
  #onFrame;
  #onState;
  #onUnpaired;
  #onAway;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  #silence = 0;
  #poll = 0;
  #isAsking = false;
  #isTelling = false;
  /** When the last pull went out; none is sent again while its answer may be under way. */
  #pulledMs = -PULL_AGAIN_MS;
  /** @type {Place | null} Asked for from here on; kept until a snapshot came, whichever way. */
  #wanted = null;
  /** The part of a snapshot that was asked for last. @type {{after: number | null, atMs: number}} */
  #part = { after: null, atMs: 0 };
  /** Parts asked for since the last beat. */
  #parts = 0;
  /** Frames of acks since the last beat. */
  #told = 0;
  /** The server hung up on a frame of acks, and a post will tell on which. */
  #isPosting = false;
  /** Whether the last poll was answered. */
  #isPollHeard = false;

  /**
   * @param {{socketUrl: string, feedUrl: string, acksUrl: string,
   *   outbox: import("./outbox.js").Outbox, here: () => Place & Record<string, unknown>,
   *   rest?: () => number | null,
   *   onFrame: (frame: any) => void, onState: (state: "open" | "polling") => void,
   *   onUnpaired: () => void, onAway?: () => void}} wiring `here` says where and what this
   *   screen is, `rest` what its snapshot goes on after; `onAway` is told at every try that finds no server
   */
  constructor({
    socketUrl,
    feedUrl,
    acksUrl,
    outbox,
    here,
    rest = () => null,
    onFrame,
    onState,
    onUnpaired,
    onAway = () => {},
  }) {
    this.#socketUrl = socketUrl;
    this.#feedUrl = feedUrl;
    this.#acksUrl = acksUrl;
    this.#outbox = outbox;
    this.#here = here;
    this.#rest = rest;
    this.#onFrame = onFrame;
    this.#onState = onState;
    this.#onUnpaired = onUnpaired;
    this.#onAway = onAway;
  }

  connect() {
    const socket = new WebSocket(this.#socketUrl);
    this.#socket = socket;
    this.#pulledMs = -PULL_AGAIN_MS;
    this.#listen();
    socket.onopen = () => {
      this.#told = this.#parts = 0;
      this.#part.after = null;
      clearTimeout(this.#poll);
      this.#onState("open");
      this.#listen();
      this.say({ type: "here", ...this.#here() });
      this.pull();
      this.#askOn();
      this.flush();
    };
    socket.onmessage = ({ data }) => {
      const frame = parsed(data);
      // Not our server's: a proxy in between, or a frame cut short.
      if (!frame) return this.#lost(socket, 0);
      this.#attempt = 0;
      this.#listen();
      this.#take(frame);
    };
    socket.onclose = ({ code }) => this.#lost(socket, code);
  }

  /** The device may have slept: whoever is at the other end may have hung up long since. */
  askAnew() {
    this.#attempt = 0;
    if (this.#socket) this.#lost(this.#socket, 0);
    else this.#pollNow();
  }

  /** Asks for what came after `place`, by default where this screen is. @param {Place} [place] */
  pull(place) {
    if (place) this.#wanted = place;
    else if (performance.now() - this.#pulledMs < PULL_AGAIN_MS) return;
    this.#pulledMs = performance.now();
    this.say({ type: "pull", ...this.#place() });
  }

  /** Asks for the next part of a snapshot, once. One that is not answered is asked for again. */
  #askOn() {
    const after = this.#rest();
    const isUnderWay = after === this.#part.after && performance.now() - this.#part.atMs < SILENT_MS;
    if (after === null || isUnderWay || this.#parts >= PARTS_PER_BEAT || !this.#isOpen()) return;
    this.#part = { after, atMs: performance.now() };
    this.#parts += 1;
    this.say({ type: "rest", after });
  }

  /** Sends what waits in the outbox, after a day offline over many beats. */
  flush() {
    while (this.#isOpen() && !this.#isPosting && this.#told < ACK_FRAMES_PER_BEAT) {
      const frame = this.#outbox.next();
      if (!frame) return;
      this.#told += 1;
      this.say(frame);
    }
  }

  /** Whether the server is there, whichever way. */
  get isHeard() {
    return this.#isOpen() || this.#isPollHeard;
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** By socket, or not at all. @param {object} frame */
  say(frame) {
    if (this.#isOpen()) this.#socket?.send(JSON.stringify(frame));
  }

  /** @returns {Place} */
  #place() {
    const { epoch, seq } = this.#wanted ?? this.#here();
    return { epoch, seq };
  }

  /** @param {any} frame */
  #take(frame) {
    if (frame.type === "acked") {
      this.#outbox.confirm(frame.n);
      return;
    }
    if (frame.type === "snapshot" || frame.type === "changes") this.#pulledMs = -PULL_AGAIN_MS;
    if (frame.type === "snapshot") this.#wanted = null;
    this.#onFrame(frame);
    if (frame.type === "beat") {
      this.say({ type: "here", ...this.#here() });
      this.#told = this.#parts = 0;
      this.#outbox.beat();
      if (this.#isPosting) this.#tellByHttp().catch(() => {});
      else this.flush();
    }
    this.#askOn();
  }

  /** A socket that says nothing is no socket: some networks drop them without a word. */
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#socket) this.#lost(this.#socket, 0);
    }, SILENT_MS);
  }

  /** @param {WebSocket} socket @param {number} code */
  #lost(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearTimeout(this.#silence);
    socket.close();
    this.#outbox.takeBack();
    if (code === BAD_FRAME) this.#isPosting = true;
    if (code === UNPAIRED) this.#onUnpaired();
    this.#onState("polling");
    this.#pollNow();
    setTimeout(() => this.connect(), backoffMs(this.#attempt, BACKOFF));
    this.#attempt += 1;
  }

  /** One at a time, however often a socket is lost meanwhile: the end of each sees to the next. */
  async #pollNow() {
    clearTimeout(this.#poll);
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      await this.#askByHttp();
      await this.#tellByHttp();
    } catch {
      // No network. The next poll tries again; what is on the screen plays on.
      this.#isPollHeard = false;
      this.#onAway();
    }
    this.#isAsking = false;
    if (!this.#isOpen()) this.#poll = setTimeout(() => this.#pollNow(), POLL_MS);
  }

  /** What came, which tells of removals, and then of a snapshot as many parts as there is time for. */
  async #askByHttp() {
    const untilMs = performance.now() + POLL_MS;
    const { epoch, seq } = this.#place();
    await this.#ask({ epoch: epoch ?? "", seq: String(seq) });
    for (let asked = null; !this.#isOpen() && performance.now() < untilMs; ) {
      const after = this.#rest();
      if (after === null || after === asked) return;
      asked = after;
      await this.#ask({ rest: String(after) });
    }
  }

  /** @param {Record<string, string>} what */
  async #ask(what) {
    const query = new URLSearchParams(what);
    const signal = AbortSignal.timeout(POLL_MS);
    const response = await fetch(`${this.#feedUrl}?${query}`, { cache: "no-store", signal });
    this.#isPollHeard = response.ok;
    if (response.ok) this.#take(await response.json());
    else if (response.status >= 500) this.#onAway();
    // A proxy's 403 says nothing about this screen.
    else if (response.status === 403 && (await response.json()).code === "unpaired") {
      this.#onUnpaired();
    }
  }

  /** One at a time: another would take back what this one is telling. */
  async #tellByHttp() {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      await this.#sayHere();
      await this.#sayAcks();
    } finally {
      this.#isTelling = false;
    }
  }

  async #sayHere() {
    const heard = await this.#post({ type: "here", ...this.#here() });
    // What the crew wants; a server of yesterday answers with nothing. A socket that opened meanwhile
    // says so first of all, and of two answers that crossed only that one is known to be the later.
    const frame = parsed(await heard.text());
    if (heard.ok && frame?.type === "orders" && !this.#isOpen()) this.#take(frame);
  }

  async #sayAcks() {
    // A slow network must not keep the feed waiting.
    const untilMs = performance.now() + POLL_MS;
    for (let told = 0; told < ACK_FRAMES_PER_BEAT && performance.now() < untilMs; told += 1) {
      const frame = this.#outbox.next();
      if (!frame) break;
      const response = await this.#post(frame);
      // Whatever stands in between may say that all is well, or that it is not: only the server's own
      // words count.
      const answer = parsed(await response.text());
      if (response.status === REFUSED && answer?.code === "bad_frame") this.#outbox.refuse(frame.n);
      if (!response.ok || answer?.type !== "acked" || answer.n !== frame.n) break;
      this.#outbox.confirm(frame.n);
    }
    this.#outbox.takeBack();
    if (this.#outbox.length === 0) this.#isPosting = false;
  }

  /** @param {object} frame */
  #post(frame) {
    return fetch(this.#acksUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(frame),
      signal: AbortSignal.timeout(POLL_MS),
    });
  }
}

/** @param {unknown} data @returns {Record<string, any> | null} */
function parsed(data) {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame === "object" ? frame : null;
  } catch {
    return null;
  }
}
