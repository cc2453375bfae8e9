/** What the review desk and the wall have in common: the line, the trouble bar, help, polling. */

import { DecisionOutbox } from "../lib/decision_outbox.js";
import { csrfToken, look, refused, sendDecision } from "../lib/desk_wire.js";

const POLL_MS = 3000;

export const words = JSON.parse(document.getElementById("words").textContent);
export const base = document.body.dataset.base;
export const campaign = document.body.dataset.campaign;

const clockAhead_ms = Date.parse(document.body.dataset.now) - Date.now();

/** The server's time now, in ms. */
export const now = () => Date.now() + clockAhead_ms;

/**
 * @template {Element} E
 * @param {string} selector
 * @returns {E}
 */
export const one = (selector, root = document) => root.querySelector(selector);

/**
 * Fill the names into a sentence: fill("{label} is gone", {label: "No. 1"}).
 * @param {string} sentence
 * @param {Record<string, string | number>} values
 */
export const fill = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/** @param {string} text one calm line; the next replaces it */
export function say(text, tone = "") {
  const line = one("[data-line]");
  line.textContent = text;
  line.dataset.tone = tone;
}

/** @param {{waiting: number, live: number}} counts */
export function showCounts(counts) {
  for (const place of document.querySelectorAll("[data-count]")) {
    place.textContent = String(counts[place.dataset.count]);
  }
}

/** @typedef {import("../lib/decision_outbox.js").Trouble} Trouble */

/** @param {Trouble | null} trouble */
function showTrouble(trouble, kept = 0) {
  const bar = one("[data-offline]");
  bar.hidden = !trouble;
  const who = trouble?.who ?? "";
  const count = fill(kept === 1 ? words.kept_one : words.kept_many, { count: kept });
  const sentence = trouble ? fill(words[trouble.kind.replace("-", "_")], { who }) : "";
  const text = trouble && kept ? `${sentence} ${count}` : sentence;
  if (bar.dataset.text === text) return;
  bar.dataset.text = text;
  bar.replaceChildren(text, ...waysOn(trouble).flatMap((way) => [" ", way]));
}

/** @param {Trouble | null} trouble @returns {HTMLElement[]} */
function waysOn(trouble) {
  if (trouble?.kind === "signed-out") {
    return [make("a", { href: base, target: "_blank", textContent: words.sign_in })];
  }
  if (trouble?.kind !== "somebody-else") return [];
  const { who } = trouble;
  const token = make("input", { type: "hidden", name: "csrfmiddlewaretoken" });
  const next = make("input", { type: "hidden", name: "next", value: base });
  const button = make("button", { textContent: fill(words.sign_out, { who }) });
  const signOut = document.body.dataset.signOut;
  const form = make("form", { method: "post", action: signOut, target: "_blank" });
  form.addEventListener("submit", () => (token.value = csrfToken()));
  form.append(token, next, button);
  return [make("a", { href: location.href, textContent: fill(words.go_on_as, { who }) }), form];
}

/** @param {string} tag @param {Record<string, string>} fields */
const make = (tag, fields) => Object.assign(document.createElement(tag), fields);

/**
 * @param {(decision: import("../lib/decision_outbox.js").Decision,
 *   answer: import("../lib/decision_outbox.js").Answer) => void} onAnswer
 * @param {(trouble: Trouble) => void} [onTrouble] nothing of it was sent
 */
export function makeOutbox(onAnswer, onTrouble = () => {}) {
  const outbox = new DecisionOutbox({
    storage: localStorage,
    prefix: `desk.decision.${document.body.dataset.user}.`,
    send: (decision) => sendDecision(base, words.gone, decision),
    onAnswer(decision, answer) {
      showTrouble(null);
      onAnswer(decision, answer);
    },
    onTrouble(trouble) {
      showTrouble(trouble, outbox.length);
      onTrouble(trouble);
    },
    pause: (ms) =>
      new Promise((resolve) => {
        setTimeout(resolve, ms);
        addEventListener("online", resolve, { once: true });
      }),
  });
  addEventListener("beforeunload", (event) => {
    if (outbox.length) event.preventDefault();
  });
  outbox.run();
  return outbox;
}

/**
 * Ask again every few seconds, and whenever the returned function is called.
 * @param {() => string} address with a query
 * @param {DecisionOutbox} outbox answers that were on their way while it changed are dropped
 * @param {(body: any) => void} onNews
 */
export function poll(address, outbox, onNews) {
  let etag = "";
  let timer = 0;
  let failures = 0;
  let isAsking = false;
  let isWanted = false;

  async function ask() {
    if (isAsking) {
      isWanted = true;
      return;
    }
    isAsking = true;
    clearTimeout(timer);
    const version = outbox.version;
    const answer = await look(`${address()}&user=${document.body.dataset.user}`, etag);
    isAsking = false;
    const isGood = answer.status === 200 || answer.status === 304;
    failures = isGood ? 0 : failures + 1;
    if (isGood && !outbox.length) showTrouble(null);
    else if (answer.status === 401) showTrouble(refused(answer.body), outbox.length);
    else if (failures > 1) showTrouble({ kind: "away" }, outbox.length);
    if (answer.status === 200 && version === outbox.version) {
      etag = answer.etag;
      onNews(answer.body);
    } else if (answer.status === 200) isWanted = true;
    timer = setTimeout(ask, isWanted ? 0 : POLL_MS);
    isWanted = false;
  }

  addEventListener("online", ask);
  timer = setTimeout(ask, POLL_MS);
  return ask;
}

/**
 * Send plain key presses to their actions. Held keys and keys typed into fields do not count.
 * @param {Record<string, () => void>} actions by `event.key`, lower case
 */
export function keys(actions) {
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea");
    if (isTyping && event.key === "Escape") event.target.blur();
    if (isTyping || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (one("[data-help-sheet]").open && event.key !== "?") return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** The sheet of all keys, opened and closed by one key. */
export function toggleHelp() {
  const sheet = one("[data-help-sheet]");
  if (sheet.open) sheet.close();
  else sheet.showModal();
}

one("[data-help]").addEventListener("click", toggleHelp);
for (const form of document.querySelectorAll("[data-submit-on-change]")) {
  form.addEventListener("change", () => form.submit());
}
