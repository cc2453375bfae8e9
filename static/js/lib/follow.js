// Follows one submission: a socket while there is one, a poll while there is not.

import { backoffMs } from "./backoff.js";

export const POLL_MS = 2500;
/** Polls that hear nothing new come further and further apart, up to this. */
export const MOST_POLL_MS = 15_000;
/** A poll that has no answer after this long is given up. */
export const POLL_LIMIT_MS = 10_000;
/** After this long without a word an open socket is asked. */
export const SILENCE_MS = 25_000;
/** One that says nothing when asked, for this long, is dead (a phone that slept). */
export const ANSWER_MS = 8_000;

/**
 * @template T
 * @typedef {{
 *   openSocket: () => WebSocket,
 *   poll: (signal: AbortSignal) => Promise<T>,
 *   onStatus: (status: T) => void,
 *   setTimer?: (run: () => void, ms: number) => number,
 *   clearTimer?: (timer: number) => void,
 *   random?: () => number,
 * }} Ways
 */

/**
 * Calls `onStatus` with every status it hears of. Returns a function that asks at once (the page
 * came back, the network returned) and one that stops.
 * @template T
 * @param {Ways<T>} ways
 * @returns {{ask: () => void, stop: () => void}}
 */
export function follow({
  openSocket,
  poll,
  onStatus,
  setTimer = (run, ms) => setTimeout(run, ms),
  clearTimer = (timer) => clearTimeout(timer),
  random = Math.random,
}) {
  let stopped = false;
  let tries = 0;
  /** @type {WebSocket | null} */
  let socket = null;
  /** From its first word on: some gateways open sockets that lead nowhere. */
  let isHeard = false;
  /** @type {number | undefined} */
  let silence;
  /** @type {number | undefined} */
  let reconnect;
  /** @type {AbortController | null} the one poll on its way */
  let polling = null;
  /** @type {number | undefined} */
  let nextPoll;
  /** Polls in a row that heard nothing new. */
  let quiet = 0;
  let latest = "";

  /** @param {T} status @returns {boolean}  whether it is another than the latest */
  function hear(status) {
    const said = JSON.stringify(status);
    const hasMoved = said !== latest;
    latest = said;
    onStatus(status);
    return hasMoved;
  }

  // --- socket ---------------------------------------------------------------------------------

  function connect() {
    if (stopped || socket) return;
    const mine = (socket = openSocket());
    mine.onopen = () => {
      if (socket === mine) listen();
    };
    mine.onmessage = (event) => {
      if (socket !== mine) return;
      isHeard = true;
      tries = 0;
      clearTimer(/** @type {number} */ (nextPoll));
      listen();
      hear(JSON.parse(event.data));
    };
    mine.onclose = () => {
      if (socket === mine) lose();
    };
  }

  function listen() {
    clearTimer(/** @type {number} */ (silence));
    silence = setTimer(askSocket, SILENCE_MS);
  }

  /** Hang up when no answer comes. */
  function askSocket() {
    socket?.send("{}");
    clearTimer(/** @type {number} */ (silence));
    silence = setTimer(() => {
      socket?.close();
      lose();
    }, ANSWER_MS);
  }

  function lose() {
    clearTimer(/** @type {number} */ (silence));
    const wasHeard = isHeard;
    socket = null;
    isHeard = false;
    if (stopped) return;
    clearTimer(/** @type {number} */ (reconnect));
    reconnect = setTimer(connect, backoffMs(tries, { random }));
    tries += 1;
    if (wasHeard) pollAnew();
  }

  // --- poll -----------------------------------------------------------------------------------

  /** At once, and often again: something may have happened. */
  function pollAnew() {
    quiet = 0;
    void pollOnce();
  }

  /** One that is on its way gives way: it may hang since the phone slept. */
  async function pollOnce() {
    clearTimer(/** @type {number} */ (nextPoll));
    polling?.abort();
    const mine = (polling = new AbortController());
    const limit = setTimer(() => mine.abort(), POLL_LIMIT_MS);
    let hasMoved = false;
    try {
      const status = await poll(mine.signal);
      if (polling === mine) hasMoved = hear(status);
    } catch {
      // no network: the next round asks again
    }
    clearTimer(limit);
    if (polling !== mine) return;
    polling = null;
    quiet = hasMoved ? 0 : quiet + 1;
    if (!isHeard) pollLater();
  }

  function pollLater() {
    const ms = Math.min(MOST_POLL_MS, POLL_MS * 2 ** quiet);
    nextPoll = setTimer(() => void pollOnce(), Math.round(ms * (0.8 + 0.4 * random())));
  }

  connect();
  pollLater();

  return {
    ask() {
      if (stopped) return;
      // A socket that is open may be so on this side only: the poll does not wait for it.
      if (isHeard) {
        askSocket();
      } else {
        tries = 0;
        connect();
      }
      pollAnew();
    },
    stop() {
      stopped = true;
      for (const timer of [silence, reconnect, nextPoll]) clearTimer(/** @type {number} */ (timer));
      polling?.abort();
      polling = null;
      socket?.close();
    },
  };
}
