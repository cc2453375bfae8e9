/** What became of commands to screens, kept current: on a screen's page, and in the list of them. */

/** While something is on its way, and else. */
const SOON_MS = 250;
const LATER_MS = 2000;
const PATIENCE_MS = 10_000;
/** One look that fails is a moment's; after two the page says so. */
const FAILURES_MOST = 1;

/** @template {Element} E @param {string} selector @param {ParentNode} [root] @returns {E | null} */
const one = (selector, root = document) => root.querySelector(selector);

/** Signed out, the server leads elsewhere: no answer of ours. The page itself leads to where one
 * signs in. @param {string} address @param {RequestInit} [options] */
async function asked(address, options) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(address, { ...options, redirect: "manual", signal });
  if (response.type === "opaqueredirect") location.reload();
  return response;
}

/** @param {string} words none hide it @param {string} [instead] only where this stands there */
function say(words, instead) {
  const place = one("[data-words]");
  if (!(place instanceof HTMLElement)) return;
  if (instead !== undefined && place.textContent !== instead) return;
  place.hidden = !words;
  place.textContent = words;
}

/** Asks again and again while the page is seen, and says when there is no answer.
 * @param {string} away the words for it @param {() => Promise<boolean>} look whether something is on
 * its way; rejects without an answer */
function follow(away, look) {
  let timer = 0;
  let failures = 0;
  const again = async () => {
    clearTimeout(timer);
    let isOpen = false;
    if (document.visibilityState === "visible") {
      try {
        isOpen = await look();
        say("", away);
        failures = 0;
      } catch {
        failures += 1;
        if (failures > FAILURES_MOST) say(away, "");
      }
    }
    clearTimeout(timer);
    timer = setTimeout(again, isOpen ? SOON_MS : LATER_MS);
  };
  again();
  return again;
}

// --- one screen ---------------------------------------------------------------------------------

const panel = one("[data-orders]");
if (panel instanceof HTMLElement) {
  const address = panel.dataset.orders ?? "";
  const { away = "", notAsked = "" } = panel.dataset;

  /** Rejects what is no answer of ours. @param {Response} response */
  const show = async (response) => {
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = /** @type {HTMLElement | null} */ (one("[data-live]", parsed));
    if (response.status !== 200 || !fresh) throw new Error(`no answer: ${response.status}`);
    const old = /** @type {HTMLElement | null} */ (one("[data-live]", panel));
    if (old && old.dataset.layout !== fresh.dataset.layout) choose(fresh.dataset.layout ?? "");
    if (old && old.outerHTML !== fresh.outerHTML) old.replaceWith(document.adoptNode(fresh));
    press(fresh);
    return fresh.dataset.open !== undefined;
  };

  /** Also in the form beneath: saving it would bring the layout of before back. @param {string} layout */
  const choose = (layout) => {
    for (const select of document.querySelectorAll("#id_layout, #order-layout")) {
      if (select instanceof HTMLSelectElement) select.value = layout;
    }
  };

  /** What lasts and is so now. @param {HTMLElement} live */
  const press = (live) => {
    for (const button of panel.querySelectorAll("[data-when]")) {
      if (!(button instanceof HTMLElement)) continue;
      const isSo = live.dataset[button.dataset.when ?? ""] === "yes";
      button.ariaPressed = String(isSo);
    }
  };

  const again = follow(away, async () => show(await asked(address)));

  panel.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const body = new FormData(form, event.submitter);
    try {
      const headers = { "X-Requested-With": "fetch" };
      const response = await asked(address, { method: "POST", headers, body });
      if (response.status === 400) {
        say((await response.json()).words);
      } else {
        await show(response);
        say("");
      }
    } catch {
      say(notAsked);
    }
    again();
  });
}

// --- the list -----------------------------------------------------------------------------------

const list = one("[data-outcomes]");
if (list instanceof HTMLElement) {
  const cells = /** @type {() => HTMLElement[]} */ (
    () => [...document.querySelectorAll("[data-command-of]")]
  );
  follow(list.dataset.away ?? "", async () => {
    const of = cells().map(({ dataset }) => dataset.commandOf);
    if (of.length === 0) return false;
    const response = await asked(`${list.dataset.outcomes}?of=${of.join(",")}`);
    if (response.status !== 200) throw new Error(`no answer: ${response.status}`);
    const { screens } = await response.json();
    for (const cell of cells()) {
      const told = screens[cell.dataset.commandOf ?? ""];
      if (told && cell.textContent !== told.words) cell.textContent = told.words;
    }
    return Object.values(screens).some(({ is_open }) => is_open);
  });
}
