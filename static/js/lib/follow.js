// Follows one submission: a socket while there is one, a poll while there is not.

import { backoffMs } from "./backoff.js";

export const POLL_MS = 2500;
/** After this long without a word an open socket is asked. */
export const SILENCE_MS = 25_000;
/** One that says nothing when asked, for this long, is dead (a phone that slept). */
export const ANSWER_MS = 8_000;

/**
 * @template T
 * @typedef {{
 *   openSocket: () => WebSocket,
 *   poll: () => Promise<T>,
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
  let isOpen = false;
  /** @type {number | undefined} */
  let silence;
  /** @type {number | undefined} */
  let reconnect;

  function connect() {
    if (stopped || socket) return;
    const mine = (socket = openSocket());
    mine.onopen = () => {
      isOpen = true;
      tries = 0;
      listen();
    };
    mine.onmessage = (event) => {
      if (socket !== mine) return;
      onStatus(JSON.parse(event.data));
      listen();
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      lose();
      void pollOnce();
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
    socket = null;
    isOpen = false;
    if (stopped) return;
    clearTimer(/** @type {number} */ (reconnect));
    reconnect = setTimer(connect, backoffMs(tries, { random }));
    tries += 1;
  }

  async function pollOnce() {
    if (stopped) return;
    try {
      const status = await poll();
      if (!stopped) onStatus(status);
    } catch {
      // no network: the next round asks again
    }
  }

  function round() {
    if (stopped) return;
    if (!isOpen) void pollOnce();
    setTimer(round, Math.round(POLL_MS * (0.8 + 0.4 * random())));
  }

  connect();
  setTimer(round, POLL_MS);

  return {
    ask() {
      // A socket that is open may be so on this side only: the poll does not wait for it.
      if (isOpen) {
        askSocket();
      } else {
        tries = 0;
        connect();
      }
      void pollOnce();
    },
    stop() {
      stopped = true;
      clearTimer(/** @type {number} */ (silence));
      clearTimer(/** @type {number} */ (reconnect));
      socket?.close();
    },
  };
}
