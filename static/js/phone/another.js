// Picking another figurine. If it is decided meanwhile, this page leads back to the one that tells.

import { follow } from "../lib/follow.js";
import { Picker } from "./picker.js";

/** @typedef {import("../lib/status.js").Status} Status */

const form = /** @type {HTMLFormElement} */ (document.querySelector("#another"));
const send = /** @type {HTMLButtonElement} */ (form.querySelector("#send"));
const { page = "", socket, poll } = form.dataset;
let isSent = false;

const picker = new Picker(form);
picker.fetchAhead();
picker.arrive();

form.addEventListener("submit", (event) => {
  if (isSent) event.preventDefault();
  isSent = send.disabled = true;
});

const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
const following = follow({
  openSocket: () => new WebSocket(`${scheme}//${window.location.host}${socket}`),
  poll: async () => {
    const answer = await fetch(String(poll), { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return /** @type {Status} */ (await answer.json());
  },
  onStatus: ({ rerolls_left, is_on_desk }) => {
    if (!isSent && (!rerolls_left || is_on_desk)) window.location.replace(page);
  },
});

window.addEventListener("online", following.ask);
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  isSent = send.disabled = false;
  following.ask();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) following.ask();
});
