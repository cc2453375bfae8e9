// Brings one photo to the server, exactly once, over a network that comes and goes.

import { backoffMs } from "./backoff.js";

/**
 * @typedef {{kind: "accepted", statusUrl: string}} Accepted
 * @typedef {{kind: "refused", code: string, sentence: string, advice: string}} Refused
 * @typedef {{kind: "lost"}} Lost  no answer, or one that says "later"
 * @typedef {Accepted | Refused | Lost} Outcome
 */

/**
 * What a server's answer means. A crowd in front of a gateway gets 5xx without a body of ours:
 * nothing was stored, so the photo is sent again.
 * @param {number} status  0 when there was no answer
 * @param {string} body
 * @returns {Outcome}
 */
export function outcome(status, body) {
  const said = parsed(body);
  if (status >= 200 && status < 300 && typeof said.status_url === "string") {
    return { kind: "accepted", statusUrl: said.status_url };
  }
  if (status >= 400 && status < 500) {
    const { code = "", sentence = "", advice = "" } = said;
    return { kind: "refused", code, sentence, advice };
  }
  return { kind: "lost" };
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
 * Send until somebody answers. The same key goes along each time, so that however often it takes,
 * one submission comes of it.
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
    onLost(attempt);
    await pause(backoffMs(attempt, { random }));
  }
}

/**
 * POST a form and hear how far it got, 0..1.
 * @param {string} url
 * @param {FormData} form
 * @param {{timeoutMs?: number, onProgress: (done: number) => void}} options
 * @returns {Promise<Outcome>}
 */
export function post(url, form, { timeoutMs = 60_000, onProgress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.timeout = timeoutMs;
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => resolve(outcome(request.status, request.responseText));
    request.onerror = request.ontimeout = request.onabort = () => resolve({ kind: "lost" });
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
    case "":
      return "reload";
    case "slow_down":
      return "resend";
    default:
      return "retake";
  }
}
