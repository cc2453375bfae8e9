// Entry of the page for browsers that are no screen: takes the key out of the address, deletes
// whatever this browser kept while it was one, and shows the letters that make it one.

import { forgetOrders } from "../lib/orders.js";
import { Pairing } from "../lib/pairing.js";
import { wipeShell } from "../lib/shell.js";
import { wipe } from "../lib/stores.js";

const AGAIN_MS = 10_000;
/** Less than that: one at a time. Letters are shown once the first has been answered, or has not. */
const ANSWER_MS = 8000;

const { sessionUrl = "", feedUrl = "", askUrl = "", pollUrl = "", ...sentences } =
  document.body.dataset;
const main = part("main");
const letters = part("letters");
const qr = /** @type {HTMLImageElement} */ (part("qr"));
const words = part("words");

const pairing = new Pairing({
  askUrl,
  pollUrl,
  size: () => ({
    width_px: Math.round(innerWidth * devicePixelRatio),
    height_px: Math.round(innerHeight * devicePixelRatio),
  }),
  show,
  fetch: (...request) => fetch(...request),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  now: () => performance.now(),
});

/** @param {string} name */
function part(name) {
  const found = document.querySelector(`[data-part=${name}]`);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${name}`);
  return found;
}

/** @param {import("../lib/pairing.js").Shown | null} shown @param {string} news */
function show(shown, news) {
  const code = shown?.code ?? "";
  if (letters.dataset.code !== code) {
    letters.dataset.code = code;
    letters.setAttribute("aria-label", code);
    letters.replaceChildren(...[...code].map(letter));
    qr.hidden = shown === null;
    if (shown) qr.src = `data:image/svg+xml,${encodeURIComponent(shown.qr)}`;
    main.classList.toggle("has-code", shown !== null);
    fit();
  }
  // What was wrong with a link stays until there is more to say.
  if (news || words.textContent !== sentences.oldLink) words.textContent = sentences[news] ?? "";
}

/** Letters are of several widths: many wide ones are drawn smaller. */
function fit() {
  letters.style.setProperty("--fit", "1");
  const share = letters.clientWidth / Math.max(letters.scrollWidth, 1);
  letters.style.setProperty("--fit", String(Math.min(1, share * 0.99)));
}

/** @param {string} text */
function letter(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

/** Whether this browser is a screen, and on its way to the player. */
async function begin() {
  try {
    forgetOrders(localStorage);
    await Promise.allSettled([wipe(), wipeShell()]);
    await takeKey();
    return await enter();
  } catch {
    return false; // No network.
  }
}

/** A link's key makes it a screen at once. */
async function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  // Out of the address before anything else: it would stay in the history.
  history.replaceState(null, "", location.pathname);
  if (key === null) return;
  const response = await fetch(sessionUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (response.status === 403) words.textContent = sentences.oldLink ?? "";
}

/** Goes on to the player once this browser is a screen: paired just now, or switched on again. */
async function enter() {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(feedUrl, { cache: "no-store", signal });
  if (response.ok) location.replace(location.pathname);
  return response.ok;
}

addEventListener("hashchange", begin);
addEventListener("resize", fit);
document.fonts.addEventListener("loadingdone", fit);
setInterval(() => enter().catch(() => {}), AGAIN_MS);
if (!(await begin())) {
  await pairing.untilPaired();
  location.replace(location.pathname);
}
