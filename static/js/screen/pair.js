// Entry of the page for browsers that are no screen yet: takes the key out of the address.

const AGAIN_MS = 10_000;

const { sessionUrl, feedUrl } = document.body.dataset;
const words = document.querySelector("[data-part=words]");

async function pair() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  // Out of the address before anything else: it would stay in the history.
  history.replaceState(null, "", location.pathname);
  if (key !== null) {
    const response = await fetch(sessionUrl ?? "", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key }),
    });
    if (response.status === 403 && words) words.textContent = document.body.dataset.oldLink ?? "";
  }
  await enter();
}

/** Goes on to the player once this browser is a screen: paired just now, or switched on again. */
async function enter() {
  const response = await fetch(feedUrl ?? "", { cache: "no-store" });
  if (response.ok) location.replace(location.pathname);
}

setInterval(() => enter().catch(() => {}), AGAIN_MS);
addEventListener("hashchange", () => pair().catch(() => {}));
pair().catch(() => {});
