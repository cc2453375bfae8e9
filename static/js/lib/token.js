// The screen's token is renewed without a word: asked for now and then, kept by the browser.

/** The server knows when it is time; an answer that was lost is made up for by the next. */
const EVERY_MS = 600_000;
const ANSWER_MS = 10_000;

/** @param {string} address */
export function keepToken(address) {
  renew(address);
  setInterval(() => renew(address), EVERY_MS);
}

/** @param {string} address */
async function renew(address) {
  try {
    await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    // No network.
  }
}
