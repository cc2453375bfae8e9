/** How the desk talks to the server. Every answer is one of a few words; nothing throws. */

const PATIENCE_MS = 10_000;

/**
 * Send as the moderator who opened this page, whoever is signed in by now.
 * @param {string} url
 * @param {Record<string, string>} fields
 * @returns {Promise<{status: number, body: any}>} status 0: nobody answered; 401: signed out, or
 *   somebody else has signed in since
 */
export async function post(url, fields) {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  const inPage = document.querySelector("input[name=csrfmiddlewaretoken]");
  return ask(url, {
    method: "POST",
    // Signing in again in another tab renews the cookie, not this page
    headers: { "X-CSRFToken": token ?? inPage?.value ?? "" },
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
    if (response.type === "opaqueredirect" || response.status === 403) {
      return { status: 401, body: null, etag };
    }
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return { status: response.status, body: isJson ? await response.json() : null, etag };
  } catch {
    return { status: 0, body: null, etag: "" };
  }
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
  if (status === 401) return { kind: "signed-out" };
  if (status === 0 || status >= 500 || status === 429) return { kind: "away" };
  return { kind: "overtaken", sentence: body?.sentence ?? gone };
}
