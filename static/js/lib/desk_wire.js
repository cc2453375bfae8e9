/** How the desk talks to the server. Every answer is one of a few words; nothing throws. */

const PATIENCE_MS = 10_000;

/** Signing in again in another tab renews the cookie, not this page. */
export function csrfToken() {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  return token ?? document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/**
 * Send as the moderator who opened this page, whoever is signed in by now.
 * @param {string} url
 * @param {Record<string, string>} fields
 * @returns {Promise<{status: number, body: any}>} status 0: nobody answered; 401: signed out, or
 *   with a body that says who has signed in since
 */
export async function post(url, fields) {
  return ask(url, {
    method: "POST",
    headers: { "X-CSRFToken": csrfToken() },
    body: new URLSearchParams({ ...fields, user: document.body.dataset.user }),
    keepalive: true,
  });
}

/**
 * @param {string} url
 * @param {string} [etag] of the answer that is already here
 * @returns {Promise<{status: number, body: any, etag: string}>}
 */
export async function look(url, etag = "") {
  return ask(url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
}

/**
 * @param {string} url
 * @param {RequestInit} options
 */
async function ask(url, options) {
  try {
    const response = await fetch(url, {
      ...options,
      headers: { Accept: "application/json", ...options.headers },
      credentials: "same-origin",
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const etag = response.headers.get("ETag") ?? "";
    const isRefused = response.type === "opaqueredirect" || response.status === 403;
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const body = isJson ? await response.json() : null;
    return { status: isRefused ? 401 : response.status, body, etag };
  } catch {
    return { status: 0, body: null, etag: "" };
  }
}

/**
 * What a 401 is about.
 * @param {{signed_in: string} | null} body
 * @returns {import("./decision_outbox.js").Trouble}
 */
export function refused(body) {
  return body?.signed_in ? { kind: "somebody-else", who: body.signed_in } : { kind: "signed-out" };
}

/**
 * Send one decision of the outbox.
 * @param {string} base address of the submissions
 * @param {string} gone the sentence for a submission that is no more
 * @param {import("./decision_outbox.js").Decision} decision
 * @returns {Promise<import("./decision_outbox.js").Answer>}
 */
export async function sendDecision(base, gone, decision) {
  const { status, body } = await post(`${base}review/${decision.id}/decide/`, {
    verdict: decision.verdict,
    seen_at: decision.seenAt,
    note: decision.note,
  });
  if (status === 200) return { kind: "done", since: body.since };
  if (status === 401) return refused(body);
  if (status === 0 || status >= 500 || status === 429) return { kind: "away" };
  return { kind: "overtaken", sentence: body?.sentence ?? gone };
}
