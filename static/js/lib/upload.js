// Brings one photo to the server, exactly once, over a network that comes and goes.

import { backoffMs } from "./backoff.js";

/** After so many answers lost in a row a person decides: again, or another photo. */
export const MOST_TRIES = 4;
/** An upload that moves by no byte for this long is dead; a slow one takes as long as it takes. */
export const STALL_MS = 30_000;
/** How long the server may look at a photo that has arrived. */
export const ANSWER_MS = 60_000;
/** Whoever asks for a longer pause is asked again sooner: nobody stands with a phone for an hour. */
export const MOST_WAIT_MS = 120_000;
/** Words of a gateway's that say "later". Ours has a code, and is a refusal like any other. */
const LATER = [408, 425, 429];

/**
 * @typedef {{kind: "accepted", statusUrl: string}} Accepted
 * @typedef {{kind: "refused", code: string, sentence: string, advice: string}} Refused
 * @typedef {{kind: "lost", sentence: string, advice: string, waitMs: number}} Lost  no answer, or one
 *   that says "later", and when
 * @typedef {Accepted | Refused | Lost} Outcome
 */

/**
 * What a server's answer means. With 5xx nothing was stored, so the photo is sent again; the words,
 * where they are ours and not a gateway's, are for when that goes on.
 * @param {number} status  0 when there was no answer
 * @param {string} body
 * @param {string | null} [retryAfter]  the header: seconds, or a date
 * @returns {Outcome}
 */
export function outcome(status, body, retryAfter = null) {
  const said = parsed(body);
  if (status >= 200 && status < 300 && typeof said.status_url === "string") {
    return { kind: "accepted", statusUrl: said.status_url };
  }
  const { code = "", sentence = "", advice = "" } = said;
  const isRefused = status >= 400 && status < 500 && (code || !LATER.includes(status));
  if (isRefused) return { kind: "refused", code, sentence, advice };
  return { kind: "lost", sentence, advice, waitMs: waitMs(retryAfter) };
}

/**
 * How long an answer asks to wait, MOST_WAIT_MS at most. Source: RFC 9110, section 10.2.3.
 * @param {string | null} retryAfter
 * @returns {number}
 */
function waitMs(retryAfter) {
  if (!retryAfter) return 0;
  const ms = /^\d+$/.test(retryAfter) ? 1000 * Number(retryAfter) : Date.parse(retryAfter) - Date.now();
  return Math.min(MOST_WAIT_MS, Math.max(0, ms || 0));
}

/** @param {string} body @returns {Record<string, any>} */
function parsed(body) {
  try {
    const said = JSON.parse(body);
    return said && typeof said === "object" ? said : {};
  } catch {
    return {};
  }
}

/**
 * Send until somebody answers, MOST_TRIES times. The same key goes along each time, so that however
 * often it takes, one submission comes of it.
 * @param {{
 *   send: () => Promise<Outcome>,
 *   pause: (ms: number) => Promise<void>,
 *   onLost: (attempt: number) => void,
 *   random?: () => number,
 * }} ways
 * @returns {Promise<Accepted | Refused>}
 */
export async function deliver({ send, pause, onLost, random = Math.random }) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await send();
    if (answer.kind !== "lost") return answer;
    const { sentence, advice } = answer;
    if (attempt + 1 === MOST_TRIES) return { kind: "refused", code: "unreachable", sentence, advice };
    onLost(attempt);
    // Never sooner than asked, and not all at once.
    const asked = Math.round(answer.waitMs * (1 + random() / 4));
    await pause(Math.max(asked, backoffMs(attempt, { random })));
  }
}

/**
 * POST a form and hear how far it got, 0..1.
 * @param {string} url
 * @param {FormData} form
 * @param {{
 *   onProgress: (done: number) => void,
 *   setTimer?: (run: () => void, ms: number) => number,
 *   clearTimer?: (timer: number) => void,
 * }} options
 * @returns {Promise<Outcome>}
 */
export function post(
  url,
  form,
  {
    onProgress,
    setTimer = (run, ms) => setTimeout(run, ms),
    clearTimer = (timer) => clearTimeout(timer),
  },
) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    /** @type {number | undefined} */
    let patience;
    /** @param {number} ms */
    const giveItMs = (ms) => {
      clearTimer(/** @type {number} */ (patience));
      patience = setTimer(() => request.abort(), ms);
    };
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => {
      giveItMs(STALL_MS);
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.upload.onload = () => giveItMs(ANSWER_MS);
    // An aborted or failed request has status 0 and no text.
    request.onloadend = () => {
      clearTimer(/** @type {number} */ (patience));
      const retryAfter = request.getResponseHeader("Retry-After");
      resolve(outcome(request.status, request.responseText, retryAfter));
    };
    giveItMs(STALL_MS);
    request.send(form);
  });
}

/**
 * Where a refusal leads: "retake" another photo, "rename", "agree" (tick the box), "reload" the
 * page, or "resend" the same photo later.
 * @param {string} code
 * @returns {"retake" | "rename" | "agree" | "reload" | "resend"}
 */
export function wayOn(code) {
  switch (code) {
    case "bad_plaque":
      return "rename";
    case "consent_missing":
      return "agree";
    case "consent_outdated":
    case "campaign_closed":
    case "unknown_kit":
    case "":
      return "reload";
    case "slow_down":
    case "unreachable":
      return "resend";
    default:
      return "retake";
  }
}
