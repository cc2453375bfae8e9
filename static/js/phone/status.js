// The waiting page: the server draws each scene, this asks for it when the scene changes and moves
// the progress in between. All words are in the template.

import { backoffMs } from "../lib/backoff.js";
import { filled, remainingS, scene, span } from "../lib/status.js";
import { followPage } from "./following.js";
import { main, redraw } from "./redraw.js";

/** @typedef {import("../lib/status.js").Status} Status */

/** @returns {Status} */
const drawn = () => JSON.parse(String(main().dataset.status));

let isDrawing = false;
let failures = 0;

/** @param {Status} status */
async function onStatus(status) {
  if (scene(status) === scene(drawn())) {
    move(status);
    return;
  }
  if (isDrawing) return;
  isDrawing = true;
  try {
    await redraw({
      arrived: () => {
        arrive();
        changed();
      },
    });
    failures = 0;
  } catch {
    setTimeout(following.ask, backoffMs(failures));
    failures += 1;
  } finally {
    isDrawing = false;
  }
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
  const line = main().querySelector("#progress-line");
  if (!(line instanceof HTMLElement)) return;
  const { queued = "", next = "", moulding = "" } = line.dataset;
  const sentence = status.state === "generating" ? moulding : status.ahead ? queued : next;
  const stages = JSON.parse(String(line.dataset.stages));
  const stage = stages[status.stage] ?? stages[""];
  const words = [filled(sentence, { ahead: status.ahead, percent: status.percent, stage })];
  const left = remainingS(status);
  if (left !== null) {
    const { unit, n } = span(left);
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
  const file = clip ?? (await fetched(status.still_url));
  if (!file) return;
  const ending = file.type.startsWith("video/") ? "mp4" : "jpg";
  const named = new File([file], `${button.dataset.name}.${ending}`, { type: file.type });
  const parcel = { files: [named], title: button.dataset.title };
  if (!navigator.canShare(parcel)) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    // Closing the share sheet rejects; there is nothing to tell anyone.
    navigator.share(parcel).catch(() => undefined);
  });
}

/**
 * Let the figurine move, where there is a clip and nobody minds; the picture stays under it. Returns
 * the clip for sharing. Fetched whole: iPhones want an address of a film to answer in ranges.
 * @param {Status} status
 */
async function playFilm({ keepsakes: { clip } }) {
  const film = main().querySelector(".film");
  if (!clip || !(film instanceof HTMLVideoElement)) return null;
  const isPlayable = film.canPlayType('video/mp4; codecs="avc1.640028"') !== "";
  const mp4 = await fetched(clip.mp4);
  const shown = isPlayable ? mp4 : await fetched(clip.webm);
  if (shown && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
    film.src = URL.createObjectURL(shown);
    film.addEventListener("error", () => film.remove(), { once: true });
    film.addEventListener("playing", () => (film.dataset.isOn = ""), { once: true });
    // A phone that saves power refuses: then the picture stands still.
    film.play().catch(() => undefined);
  }
  return mp4;
}

/** @param {string} address @returns {Promise<Blob | null>} */
async function fetched(address) {
  const answer = await fetch(address);
  return answer.ok ? answer.blob() : null;
}

const following = followPage({ main, onStatus: (status) => void onStatus(status) });
arrive();
