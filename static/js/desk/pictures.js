/** The two large pictures: loaded ahead, swapped only when both can be drawn at once. */

import { one, words } from "./common.js";

const KEEP = 12;
const TRIES_MS = [400, 1200, 3000];
const FACE_SHARE = 0.62;
const FIGURINE_CLOSE = 2.7;

/** @type {Map<string, Promise<HTMLImageElement | null>>} */
const loaded = new Map();

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement | null>} null where the picture could not be had
 */
function load(url) {
  const known = loaded.get(url);
  if (known) return known;
  const ready = fetched(url).then((image) => {
    if (!image) loaded.delete(url);
    return image;
  });
  loaded.set(url, ready);
  if (loaded.size > KEEP) loaded.delete(loaded.keys().next().value);
  return ready;
}

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement | null>}
 */
async function fetched(url) {
  for (const pause_ms of [0, ...TRIES_MS]) {
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
    const image = new Image();
    image.src = url;
    if (await image.decode().then(() => true, () => false)) return image;
  }
  return null;
}

/** @param {{selfie_url: string, figurine_url: string}} card */
export function fetchAhead(card) {
  for (const url of [card.selfie_url, card.figurine_url]) if (url) load(url);
}

/**
 * Draw a card's pictures; resolves once they can be seen.
 * @param {{selfie_url: string, figurine_url: string, face_box: number[] | null}} card
 * @param {() => boolean} isStillWanted
 * @returns {Promise<boolean>} whether every picture is there
 */
export async function draw(card, isStillWanted) {
  const stage = one("[data-pictures]");
  stage.classList.remove("is-close");
  const kinds = { selfie: card.selfie_url, figurine: card.figurine_url };
  const wanted = Object.values(kinds).filter(Boolean);
  const isHere = await Promise.race([
    Promise.all(wanted.map(load)).then(() => true),
    new Promise((resolve) => setTimeout(resolve, 60, false)),
  ]);
  if (!isStillWanted()) return false;
  // Never somebody else's face beside this name, however slow the network is
  if (!isHere) for (const frame of stage.querySelectorAll(".frame")) frame.replaceChildren();
  const images = await Promise.all(wanted.map(load));
  if (!isStillWanted()) return false;
  let at = 0;
  for (const [kind, url] of Object.entries(kinds)) {
    const figure = one(`[data-picture=${kind}]`, stage);
    const image = url ? images[at++] : null;
    figure.hidden = !url;
    one(".frame", figure).replaceChildren(...(image ? [image] : []));
    if (!image) continue;
    image.alt = words[kind];
    figure.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
    closeUp(image, kind, card.face_box);
  }
  fit(stage);
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return images.every(Boolean);
}

/** One height for both, as large as the stage allows. @param {HTMLElement} stage */
function fit(stage) {
  const shown = [...stage.querySelectorAll("figure:not([hidden])")];
  const ratios = shown.map((figure) => Number(figure.style.getPropertyValue("--ratio")) || 0.8);
  stage.style.setProperty("--ratios", String(ratios.reduce((sum, ratio) => sum + ratio, 0)));
  stage.style.setProperty("--gaps", String(shown.length - 1));
}

/**
 * Where the picture grows to when faces are to be large.
 * @param {HTMLImageElement} image
 * @param {string} kind
 * @param {number[] | null} box of the face, in pixels of the selfie
 */
function closeUp(image, kind, box) {
  let [x, y, scale] = [0.5, 0.25, FIGURINE_CLOSE];
  if (kind === "selfie" && box) {
    x = (box[0] + box[2] / 2) / image.naturalWidth;
    y = (box[1] + box[3] / 2) / image.naturalHeight;
    scale = Math.min(6, Math.max(1, (FACE_SHARE * image.naturalHeight) / box[3]));
  }
  // The face's middle comes to the middle of the frame, as far as the picture reaches
  const shift = (/** @type {number} */ at) =>
    Math.min(0, Math.max(1 - scale, 0.5 - at * scale)) * 100;
  image.style.setProperty("--close", `translate(${shift(x)}%, ${shift(y)}%) scale(${scale})`);
}

/** Faces large, or back. */
export function toggleClose() {
  one("[data-pictures]").classList.toggle("is-close");
}

for (const image of document.querySelectorAll("[data-pictures] img")) {
  const ready = image.decode().then(
    () => image,
    () => null,
  );
  loaded.set(image.getAttribute("src"), ready);
}
fit(one("[data-pictures]"));
