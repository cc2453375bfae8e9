/** The review desk: one submission at a time, decided by one key. */

import { post } from "../lib/desk_wire.js";
import { following, preceding, ring, undecided } from "../lib/review_line.js";
import { clock } from "../lib/spoken_time.js";
import * as common from "./common.js";
import { draw, fetchAhead, toggleClose } from "./pictures.js";
import { onPick, showStrip } from "./strip.js";

const { base, campaign, fill, one, say, words } = common;

const PRELOAD = 2;
const SETTLE_MS = 150;
const ATTENTION_S = 120;
const CLAIM_RENEW_MS = 60_000;

const first = JSON.parse(document.getElementById("queue").textContent);
const title = document.title;
const form = one("[data-verdicts]");
const note = form.elements.namedItem("note");

let cards = first.cards;
let count = first.waiting;
/** @type {any} the card on the desk */
let current = null;
/** What can be seen, and what has been long enough to be said yes to. */
let drawnId = "";
let seenId = "";
let drawing = 0;
/** The card that the poll on its way asks about. */
let askedId = "";
let claimedAt_ms = 0;
let touchedAt_ms = performance.now();
/** @type {Map<string, string>} */
const decided = new Map();
/** @type {Map<string, string>} the newest version of what was decided here */
const versions = new Map();
/** @type {{card: any, verdict: string}[]} */
let past = [];
/** @type {Map<string, string>} what was noted of whom, and waits with their card */
const notes = new Map();

const outbox = common.makeOutbox((decision, answer) => {
  if (answer.kind === "done") versions.set(decision.id, answer.since);
  if (answer.kind === "overtaken") {
    say(answer.sentence, "attention");
    past = past.filter((entry) => entry.card.id !== decision.id);
    showUndo();
  }
  refresh();
});

const refresh = common.poll(
  () => {
    askedId = current?.id ?? "";
    return `${base}review/queue/?${new URLSearchParams({ campaign, look: askedId })}`;
  },
  outbox,
  (queue) => {
    cards = undecided(queue.cards, decided);
    count = queue.waiting - (queue.cards.length - cards.length);
    common.showCounts({ ...queue, waiting: count });
    if (!current) next();
    // An answer about the one before must not bring it back onto the desk
    else if (current.id === askedId && !outbox.concerns(askedId)) follow(queue.current);
    redraw();
  },
);

/** The card on the desk as the server has it now. @param {any} card */
function follow(card) {
  const isWaiting = (/** @type {any} */ any) => ["held", "review"].includes(any.state);
  if (!card) {
    say(fill(words.gone_label, { label: current.label }), "attention");
    note.value = "";
    next();
  } else if (card.since !== current.since && isWaiting(current) && !isWaiting(card)) {
    say(card.story || words.gone, "attention");
    next();
  } else if (card.figurine_url !== current.figurine_url) {
    show(card);
  } else {
    write(card);
  }
}

// --- what lies on the desk ----------------------------------------------------------------------
/** Everything but the pictures. @param {any} card */
function write(card) {
  current = card;
  for (const place of document.querySelectorAll("[data-field]")) {
    place.textContent = card[place.dataset.field] || (place.closest("dd") ? "–" : "");
  }
  one("[data-attention]").hidden = !card.hold_reason;
  one("[data-marks]").hidden = !card.marks;
  one("[data-field=story]").hidden = !card.story;
  const isHigh = card.safety !== null && card.safety >= card.safety_hold;
  fact("safety", card.safety ?? "–", isHigh);
  fact("quality", card.quality === null ? "–" : `${Math.round(100 * card.quality)} %`);
  fact("likeness", card.likeness ?? "–", card.marks !== "");
  one("[data-fact=likeness]").hidden = card.likeness === null;
  fact("face", card.face_px ? `${card.face_px} px` : "–");
  form.action = `${base}review/${card.id}/decide/`;
  form.elements.namedItem("seen_at").value = card.since;
  for (const part of form.querySelectorAll("[data-verdict]")) {
    part.hidden = !card.verdicts.includes(part.dataset.verdict);
  }
  tick();
}

/** @param {any} card */
async function show(card) {
  drawnId = seenId = "";
  turnNote(card.id);
  one("[data-table]").hidden = false;
  one("[data-rest]").hidden = true;
  closeReasons();
  write(card);
  redraw();
  claim(card);
  const mine = ++drawing;
  const isStillWanted = () => mine === drawing;
  const areThere = await draw(card, isStillWanted);
  if (!isStillWanted()) return;
  for (const later of ring(cards, card.id).slice(0, PRELOAD)) fetchAhead(later);
  if (!areThere) return say(words.no_picture, "attention");
  drawnId = card.id;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  if (isStillWanted()) document.body.dataset.seen = seenId = card.id;
}

/** @param {string} name @param {string | number} text */
function fact(name, text, isAttention = false) {
  const place = one(`[data-fact=${name}]`);
  one("dd", place).textContent = String(text);
  place.classList.toggle("is-attention", isAttention);
}

/** What was noted of one person goes on nobody else's record. */
function turnNote(toId = "") {
  if (toId === current?.id) return;
  if (current) notes.set(current.id, note.value);
  note.value = notes.get(toId) ?? "";
}

/** Nothing left for this moderator. */
function rest() {
  turnNote();
  current = null;
  drawing += 1;
  one("[data-table]").hidden = true;
  one("[data-rest]").hidden = false;
  const [heading, text] = one("[data-rest]").children;
  heading.textContent = cards.length ? words.rest_others : words.rest_done;
  text.textContent = cards.length ? words.rest_others_more : words.rest_done_more;
  redraw();
}

/** Put the next free card on the desk. `from` is where to go on. */
function next(from = current?.id) {
  const card = following(cards, from);
  if (card) show(card);
  else rest();
}

function redraw() {
  showStrip(cards, current?.id);
  document.title = count ? `(${count}) ${title}` : title;
}

function tick() {
  if (!current) return;
  const waits_s = (common.now() - Date.parse(current.since)) / 1000;
  const isWaiting = current.state === "held" || current.state === "review";
  fact("waits", clock(waits_s), waits_s > ATTENTION_S);
  one("[data-fact=waits]").hidden = !isWaiting;
}

// --- claims -------------------------------------------------------------------------------------
/** @param {any} card */
async function claim(card) {
  if (!["held", "review"].includes(card.state)) return;
  claimedAt_ms = performance.now();
  const { status, body } = await post(`${base}review/${card.id}/claim/`, {});
  if (status !== 409 || current?.id !== card.id || card.claimed_by) return;
  // Somebody else was quicker; the strip still offers it
  cards = cards.map((one) => (one.id === card.id ? { ...one, claimed_by: body.claimed_by } : one));
  say(fill(words.claimed, { who: body.claimed_by, label: card.label }));
  next();
}

/** Keep the card for as long as somebody sits here, however quiet the queue. */
function renewClaim() {
  const isDue = performance.now() - claimedAt_ms > CLAIM_RENEW_MS;
  const isHere = performance.now() - touchedAt_ms < CLAIM_RENEW_MS;
  if (current && isDue && isHere && document.visibilityState === "visible") claim(current);
}

// --- decisions ----------------------------------------------------------------------------------
const version = (/** @type {any} */ card) => {
  const known = versions.get(card.id) ?? "";
  return known > card.since ? known : card.since;
};

/** @param {string} verdict @param {string} [reason] */
function decide(verdict, reason = "") {
  const card = current;
  if (!card?.verdicts.includes(verdict)) return;
  const isYes = verdict === "approve" || verdict === "release";
  if (isYes && seenId !== card.id) {
    if (drawnId !== card.id) say(words.wait_for_picture);
    return;
  }
  if (verdict !== "undo") past.push({ card, verdict });
  decided.set(card.id, version(card));
  outbox.add({
    id: card.id,
    verdict: reason ? `${verdict}:${reason}` : verdict,
    seenAt: version(card),
    note: note.value,
  });
  note.value = "";
  say(fill(words[verdict], { label: `${card.label} ${card.plaque}`.trim() }), verdict);
  const after = following(cards, card.id);
  if (cards.some((other) => other.id === card.id)) countWaiting(-1);
  cards = cards.filter((other) => other.id !== card.id);
  showUndo();
  if (after) show(after);
  else rest();
}

function undo() {
  const last = past.pop();
  showUndo();
  if (!last) return say(words.nothing_to_undo);
  const { card, verdict } = last;
  if (verdict === "release") return say(fill(words.too_late, { label: card.label }));
  decided.delete(card.id);
  outbox.add({ id: card.id, verdict: "undo", seenAt: version(card), note: "" });
  say(fill(words.undone, { label: card.label }));
  const isFromReview = card.state !== "held";
  const back = {
    ...card,
    state: isFromReview ? "review" : "held",
    verdicts: isFromReview ? ["approve", "reject"] : ["release", "reject"],
  };
  cards = [back, ...cards.filter((other) => other.id !== card.id)];
  countWaiting(1);
  show(back);
}

/** The numbers follow the hand; the server's come with the next answer. @param {number} by */
function countWaiting(by) {
  count += by;
  one("[data-count=waiting]").textContent = String(count);
}

function showUndo() {
  one("[data-undo]").disabled = !past.length;
}

function openReasons() {
  const list = one("details.reasons:not([hidden])", form);
  if (list && current) list.open = !list.open;
}

function closeReasons() {
  for (const list of form.querySelectorAll("details[open]")) list.open = false;
}

/** @param {number} digit */
function pickReason(digit) {
  const list = one("details.reasons[open]:not([hidden])", form);
  list?.querySelectorAll("button")[digit - 1]?.click();
}

/** @param {any} card */
function go(card) {
  if (card) show(card);
  else say(words.only_one);
}

// --- hands --------------------------------------------------------------------------------------
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [verdict, reason] = (event.submitter?.value ?? "").split(":");
  event.submitter?.blur();
  if (verdict) decide(verdict, reason);
});
note.addEventListener("keydown", (event) => {
  // An input method's own Enter only takes its word
  if (event.key === "Enter" && !event.isComposing) note.blur();
});
one("[data-skip]").addEventListener("click", () => skip());
one("[data-undo]").addEventListener("click", undo);
for (const button of form.querySelectorAll("[data-skip], [data-undo]")) button.hidden = false;

onPick((id) => {
  const card = cards.find((other) => other.id === id);
  if (card && card.id !== current?.id) show(card);
});

const skip = () => go(following(cards, current?.id));
const goBack = () => go(preceding(cards, current?.id));

common.keys({
  a: () => decide(current?.verdicts.includes("release") ? "release" : "approve"),
  r: openReasons,
  u: undo,
  j: skip,
  ArrowRight: skip,
  k: goBack,
  ArrowLeft: goBack,
  z: toggleClose,
  n: () => note.focus(),
  "?": common.toggleHelp,
  Escape: closeReasons,
  ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [String(i + 1), () => pickReason(i + 1)])),
});
for (const kind of ["keydown", "pointermove"]) {
  addEventListener(kind, () => (touchedAt_ms = performance.now()), { passive: true });
}

setInterval(tick, 1000);
setInterval(renewClaim, 1000);
for (const { id, verdict, seenAt } of outbox.entries) {
  if (verdict !== "undo") decided.set(id, seenAt);
}
cards = undecided(cards, decided);
const isLooking = new URLSearchParams(location.search).has("look");
const start = isLooking ? first.current : following(cards);
if (start) show(start);
else rest();
document.body.dataset.ready = "yes";
