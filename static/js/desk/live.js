/** The wall: everything that may be on a screen, each two presses from being dark. */

import { look } from "../lib/desk_wire.js";
import { clock } from "../lib/spoken_time.js";
import * as common from "./common.js";

const { base, fill, one, say, words } = common;

const DARK_POLL_MS = 150;
const DARK_PATIENCE_MS = 10_000;
const DISARM_MS = 6000;

const wall = one("[data-wall]");
const isNewestPage = !new URLSearchParams(document.body.dataset.query).has("before");

/** @type {Map<string, any>} every card that has its place on the wall */
const cards = new Map();
const first = JSON.parse(document.getElementById("cards").textContent);
for (const card of first) cards.set(card.id, card);
/** @type {any[]} approved meanwhile, not yet hung, newest first */
let news = [];
/** Everything approved up to this moment has its place here or among the older ones. */
let hungUntil = first[0]?.since ?? "";
/** And from this moment on: whoever is older moves up from the older ones as places come free. */
let hungFrom = first.at(-1)?.since ?? "";
/** Whether more came since than the server lists: what it left out is on no page yet. */
let hasGap = false;
/** @type {{id: string, pressedAt_ms: number}[]} */
let recalled = [];
let disarmTimer = 0;

const place = (/** @type {string} */ id) => one(`[data-id="${id}"]`, wall);
const part = (/** @type {Element} */ root, /** @type {string} */ name) =>
  one(`[data-part=${name}]`, root);

const outbox = common.makeOutbox((decision, answer) => {
  const card = cards.get(decision.id);
  const spot = place(decision.id);
  if (answer.kind === "overtaken") {
    say(answer.sentence, "attention");
    recalled = recalled.filter((entry) => entry.id !== decision.id);
    if (spot) settle(spot, answer.sentence, false);
  } else if (card && spot) {
    card.since = answer.since;
    if (decision.verdict === "undo") settle(spot, words.back_in_review, false);
    else watchDark(decision.id, spot);
  }
  refresh();
}, showUnsent);

const refresh = common.poll(
  () => `${base}live/wall/?${document.body.dataset.query}`,
  outbox,
  (body) => {
    common.showCounts(body);
    if (!isNewestPage) return;
    const live = new Map(body.cards.map((/** @type {any} */ card) => [card.id, card]));
    for (const [id, card] of cards) {
      const current = live.get(id);
      const isUp = !place(id).classList.contains("is-down");
      if (current) hangAgain(id, current);
      else if (isUp && isNewerThanLast(card, body.cards)) settle(place(id), words.taken_down, false);
    }
    const unhung = body.cards.filter((/** @type {any} */ card) => !cards.has(card.id));
    news = unhung.filter((/** @type {any} */ card) => card.since >= hungFrom);
    hangLast(unhung.filter((/** @type {any} */ card) => card.since < hungFrom));
    hasGap = isFull(body.cards) && body.cards.at(-1).since > hungUntil;
    if (isSafeToShift() && !hasGap) hangNews();
    showNews();
  },
);

/** Whether there may be more than the server lists. */
const isFull = (/** @type {any[]} */ listed) =>
  listed.length >= Number(document.body.dataset.pageLength);

/** Whether the server's page reaches as far back as this card. */
const isNewerThanLast = (/** @type {any} */ card, /** @type {any[]} */ listed) =>
  !isFull(listed) || card.since >= listed.at(-1).since;

// --- hanging up ---------------------------------------------------------------------------------
/** Nothing may move under a hand that is about to press. */
function isSafeToShift() {
  return !one("details[open]", wall) && !wall.matches(":hover") && !wall.contains(document.activeElement);
}

function hangNews() {
  if (news[0]?.since > hungUntil) hungUntil = news[0].since;
  for (const card of news.reverse()) wall.prepend(hung(card));
  news = [];
  one("[data-nothing]").hidden = wall.childElementCount > 0;
}

/** At the foot of the wall nothing shifts. @param {any[]} older newest first */
function hangLast(older) {
  for (const card of older) {
    wall.append(hung(card));
    hungFrom = card.since;
  }
  const link = document.querySelector(".older a");
  if (!link || !older.length) return;
  const next = new URL(link.href);
  next.searchParams.set("before", hungFrom);
  link.href = next.href;
}

/** @param {any} card @returns {HTMLElement} its place, not on the wall yet */
function hung(card) {
  const spot = one("[data-card]").content.firstElementChild.cloneNode(true);
  cards.set(card.id, card);
  write(spot, card);
  return spot;
}

/** @param {HTMLElement} spot @param {any} card */
function write(spot, card) {
  spot.dataset.id = card.id;
  const image = one("img", spot);
  if (image.getAttribute("src") !== card.wall_url) image.src = card.wall_url;
  image.alt = `${card.label} ${card.plaque}`;
  for (const name of ["plaque", "label", "moved_by"]) part(spot, name).textContent = card[name];
  one("time", spot).dataset.since = card.since;
  one("form", spot).action = `${base}review/${card.id}/decide/`;
}

/** Approved again after a recall. @param {string} id @param {any} card */
function hangAgain(id, card) {
  const spot = place(id);
  if (outbox.concerns(id)) return;
  const isBack = spot.classList.contains("is-down");
  cards.set(id, card);
  if (!isBack) return;
  recalled = recalled.filter((entry) => entry.id !== id);
  spot.classList.remove("is-down");
  part(spot, "fate").textContent = "";
  one("[data-undo]", spot).hidden = true;
  write(spot, card);
}

function showNews() {
  const button = one("[data-news]");
  button.hidden = !news.length;
  const said = news.length === 1 ? words.news_one : words.news_many;
  button.textContent = fill(hasGap ? words.news_gap : said, { count: news.length });
}

// --- taking down --------------------------------------------------------------------------------
/** @param {HTMLElement} spot */
function arm(spot) {
  if (!spot || spot.classList.contains("is-down")) return;
  disarm();
  one("details", spot).open = true;
}

function disarm() {
  for (const list of wall.querySelectorAll("details[open]")) list.open = false;
}

/** @param {HTMLElement} spot @param {string} verdict recall:reason */
function recall(spot, verdict) {
  const card = cards.get(spot.dataset.id);
  disarm();
  recalled.push({ id: card.id, pressedAt_ms: performance.now() });
  settle(spot, words.recalling, true);
  say(fill(words.recall, { label: `${card.label} ${card.plaque}`.trim() }), "recall");
  outbox.add({ id: card.id, verdict, seenAt: card.since, note: "" });
  spot.focus();
}

/** @param {HTMLElement} spot @param {string} text @param {boolean} canUndo */
function settle(spot, text, canUndo) {
  spot.classList.add("is-down");
  one("details", spot).open = false;
  part(spot, "fate").textContent = text;
  one("[data-undo]", spot).hidden = !canUndo;
}

/** A card that says it goes dark must not wait here for a login or a network.
 * @param {import("../lib/decision_outbox.js").Trouble} trouble */
function showUnsent({ kind }) {
  const waiting = new Map(outbox.entries.map(({ id, verdict }) => [id, verdict]));
  for (const [id, last] of waiting) {
    const spot = place(id);
    if (!spot?.classList.contains("is-down") || last === "undo") continue;
    part(spot, "fate").textContent = kind === "away" ? words.not_sent : words.not_sent_sign_in;
  }
}

/** Say how long it took until no screen showed it any more. */
async function watchDark(/** @type {string} */ id, /** @type {HTMLElement} */ spot) {
  const entry = recalled.find((other) => other.id === id);
  if (!entry) return;
  const seconds = () => ((performance.now() - entry.pressedAt_ms) / 1000).toFixed(2);
  const done_s = seconds();
  part(spot, "fate").textContent = fill(words.recalled_in, { seconds: done_s });
  const until_ms = performance.now() + DARK_PATIENCE_MS;
  for (;;) {
    const { status, body } = await look(`${base}${id}/whereabouts/`);
    if (!recalled.includes(entry)) return;
    if (status === 200 && !body.screens.length) {
      const away = body.away ?? []; // a process of yesterday says nothing of them
      const said = away.length ? words.dark_but_away : words.dark_in;
      const screens = away.join(", ");
      part(spot, "fate").textContent = fill(said, { seconds: seconds(), screens });
      return;
    }
    if (performance.now() > until_ms) {
      const screens = [...(body?.screens ?? []), ...(body?.away ?? [])].join(", ");
      part(spot, "fate").textContent = fill(words.not_dark_yet, { screens });
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, DARK_POLL_MS));
  }
}

function undo(/** @type {string | undefined} */ id = recalled.at(-1)?.id) {
  if (!recalled.some((entry) => entry.id === id)) return say(words.nothing_to_undo);
  recalled = recalled.filter((entry) => entry.id !== id);
  const card = cards.get(id);
  outbox.add({ id, verdict: "undo", seenAt: card.since, note: "" });
  settle(place(id), words.back_in_review, false);
  say(fill(words.undone_recall, { label: card.label }));
}

// --- hands --------------------------------------------------------------------------------------
wall.addEventListener("submit", (event) => {
  event.preventDefault();
  recall(event.target.closest("li"), event.submitter.value);
});
wall.addEventListener("click", (event) => {
  const spot = event.target.closest("li.toy");
  if (event.target.closest("[data-undo]")) undo(spot.dataset.id);
});
wall.addEventListener(
  "toggle",
  (event) => {
    clearTimeout(disarmTimer);
    if (!event.target.open) return;
    for (const list of wall.querySelectorAll("details[open]")) {
      if (list !== event.target) list.open = false;
    }
    disarmTimer = setTimeout(disarm, DISARM_MS);
  },
  true,
);
one("[data-news]").addEventListener("click", () => {
  scrollTo({ top: 0 });
  if (hasGap) return location.reload();
  hangNews();
  showNews();
});

/** @param {number} step how many places along */
function walk(step) {
  const spots = [...wall.children];
  const at = spots.indexOf(document.activeElement?.closest("li.toy"));
  const to = at < 0 ? 0 : Math.min(spots.length - 1, Math.max(0, at + step));
  spots[to]?.focus();
}
const columns = () => getComputedStyle(wall).gridTemplateColumns.split(" ").length;
const focused = () => document.activeElement?.closest("li.toy");

common.keys({
  ArrowRight: () => walk(1),
  ArrowLeft: () => walk(-1),
  ArrowDown: () => walk(columns()),
  ArrowUp: () => walk(-columns()),
  r: () => arm(focused() ?? one("li.toy:hover", wall)),
  u: () => undo(),
  "/": () => one("#q").select(),
  "?": common.toggleHelp,
  Escape: disarm,
  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6].map((digit) => [
      String(digit),
      () => one("details[open]", wall)?.querySelectorAll("button")[digit - 1]?.click(),
    ]),
  ),
});
function tick() {
  for (const place of wall.querySelectorAll("[data-since]")) {
    const text = clock((common.now() - Date.parse(place.dataset.since)) / 1000);
    if (place.textContent !== text) place.textContent = text;
  }
}

tick();
setInterval(tick, 1000);
document.body.dataset.ready = "yes";
