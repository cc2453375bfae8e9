// The waiting page: the server draws each scene, this asks for it when the scene changes and moves
// the progress in between. All words are in the template.

import { filled, scene, span } from "../lib/status.js";
import { followPage } from "./following.js";
import { main, redrawing } from "./redraw.js";

/** @typedef {import("../lib/status.js").Status} Status */

/** @returns {Status} */
const drawn = () => JSON.parse(String(main().dataset.status));

const redraw = redrawing({
  keep,
  arrived: () => {
    arrive();
    changed();
  },
  again: () => following.ask(),
});

/**
 * The clip in hand. A clip belongs to one approval, and `since` says which: its addresses are new
 * ones every hour, the clip is not.
 * @typedef {{since: string, mp4: Blob | null, shown: Blob | null, url: string}} Held
 * @type {Held | null}
 */
let held = null;

/** @param {Status} status */
function onStatus(status) {
  if (scene(status) === scene(drawn())) move(status);
  else void redraw();
}

/** The film goes on where it is, while the words around it change. */
function keep(/** @type {HTMLElement} */ old, /** @type {HTMLElement} */ next) {
  const was = old.querySelector(".film");
  const will = next.querySelector(".film");
  if (!(was instanceof HTMLElement) || !will) return;
  const { since } = JSON.parse(String(next.dataset.status));
  if (was.dataset.since === since) will.replaceWith(was);
}

/** Once for every scene that comes on after the first: asks for what came meanwhile. */
function changed() {
  if (drawn().screens.length) navigator.vibrate?.([90, 60, 90]);
  following.ask();
}

/** Once for every scene. */
function arrive() {
  move(drawn());
  // Without the picture there is no share button; the link to keep it is there all the same.
  offerShare(drawn()).catch(() => undefined);
}

/** @param {Status} status */
function move(status) {
  const plastic = main().querySelector(".recruit-plastic");
  if (plastic instanceof HTMLElement) plastic.style.setProperty("--percent", String(status.percent));
  const showing = main().querySelector("#next-showing");
  if (showing instanceof HTMLElement) {
    const { next_screen: screen, next_at } = status;
    const time = new Date(next_at).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
    showing.hidden = !next_at;
    showing.dataset.at = next_at;
    showing.textContent = next_at ? filled(String(showing.dataset.words), { screen, time }) : "";
  }
  const line = main().querySelector("#progress-line");
  if (!(line instanceof HTMLElement)) return;
  const { queued = "", next = "", moulding = "" } = line.dataset;
  const sentence = status.state === "generating" ? moulding : status.ahead ? queued : next;
  const stages = JSON.parse(String(line.dataset.stages));
  const stage = stages[status.stage] ?? stages[""];
  const words = [filled(sentence, { ahead: status.ahead, percent: status.percent, stage })];
  if (status.eta_s !== null) {
    const { unit, n } = span(status.eta_s);
    words.push(filled(String(line.dataset[unit]), { n }));
  }
  line.textContent = words.join(" · ");
}

/**
 * Show the share button where the phone can take the file itself: the clip once it plays, else the
 * picture. @param {Status} status
 */
async function offerShare(status) {
  const button = main().querySelector("#share");
  const clip = await playFilm(status).catch(() => null);
  if (!(button instanceof HTMLElement) || !navigator.canShare || !status.still_url) return;
  // Some phones hand pictures on and no films.
  const parcel = parcelOf(clip, button) ?? parcelOf(await fetched(status.still_url), button);
  if (!parcel) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    // Closing the share sheet rejects; there is nothing to tell anyone.
    navigator.share(parcel).catch(() => undefined);
  });
}

/** What is handed on, or null where this phone does not. */
function parcelOf(/** @type {Blob | null} */ file, /** @type {HTMLElement} */ button) {
  if (!file) return null;
  const ending = file.type.startsWith("video/") ? "mp4" : "jpg";
  const named = new File([file], `${button.dataset.name}.${ending}`, { type: file.type });
  const parcel = { files: [named], title: button.dataset.title };
  return navigator.canShare(parcel) ? parcel : null;
}

/**
 * Let the figurine move, where there is a clip and nobody minds; the picture stays under it. Returns
 * the clip for sharing. Fetched whole: iPhones want an address of a film to answer in ranges.
 * @param {Status} status
 */
async function playFilm(status) {
  const film = main().querySelector(".film");
  if (!status.keepsakes.clip || !(film instanceof HTMLVideoElement)) {
    forget();
    return null;
  }
  const isPlayable = film.canPlayType('video/mp4; codecs="avc1.640028"') !== "";
  const { mp4, shown, url } = await hold(status.since, status.keepsakes.clip, isPlayable);
  if (shown && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
    if (film.dataset.since !== status.since) {
      film.dataset.since = status.since;
      film.src = url;
      film.addEventListener("error", () => film.remove(), { once: true });
      film.addEventListener("playing", () => (film.dataset.isOn = ""), { once: true });
    }
    // One that was moved into a new page stands still. A phone that saves power refuses: then the
    // picture stands still.
    film.play().catch(() => undefined);
  }
  return mp4;
}

/** Fetch the clip once. @param {string} since @param {{mp4: string, webm: string}} clip */
async function hold(since, clip, /** @type {boolean} */ isPlayable) {
  if (held?.since === since) return held;
  const mp4 = await fetched(clip.mp4);
  const shown = isPlayable ? mp4 : await fetched(clip.webm);
  const fresh = { since, mp4, shown, url: shown ? URL.createObjectURL(shown) : "" };
  forget();
  // What could not be had is asked for again with the next page.
  if (mp4 && shown) held = fresh;
  return fresh;
}

function forget() {
  if (held) URL.revokeObjectURL(held.url);
  held = null;
}

/** @param {string} address @returns {Promise<Blob | null>} */
async function fetched(address) {
  const answer = await fetch(address);
  return answer.ok ? answer.blob() : null;
}

const following = followPage({ main, onStatus });
arrive();
