// Follows the submission that a page is about, as its <main> says where.

import { follow } from "../lib/follow.js";

/** @typedef {import("../lib/status.js").Status} Status */

/**
 * @param {{main: () => HTMLElement, onStatus: (status: Status) => void}} page
 * @returns {{ask: () => void, stop: () => void}}
 */
export function followPage({ main, onStatus }) {
  const { socket, poll } = main().dataset;
  const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
  const following = follow({
    openSocket: () => new WebSocket(`${scheme}//${window.location.host}${socket}`),
    poll: async (signal) => {
      const answer = await fetch(String(poll), { headers: { Accept: "application/json" }, signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      return /** @type {Status} */ (await answer.json());
    },
    onStatus,
  });
  window.addEventListener("online", following.ask);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) following.ask();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) following.ask();
  });
  return following;
}
