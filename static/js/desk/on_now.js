/** What is on now: asks for the tiles anew and changes what is new, a picture once it is decoded. */

import { ago } from "../lib/spoken_time.js";

const POLL_MS = 3000;
const PATIENCE_MS = 10_000;
const TICK_MS = 1000;
/** Without an answer for so long no picture is shown: who is on it may have been recalled since. */
const BLIND_MS = 30_000;
/** A tab that nobody sees asks for nothing: screens then rest too. */
const isSeen = () => document.visibilityState === "visible";

const page = /** @type {HTMLElement} */ (document.querySelector(".on-now"));
const aheadMs = Date.parse(page.dataset.now ?? "") - Date.now();
const part = (/** @type {string} */ name) =>
  /** @type {HTMLElement} */ (page.querySelector(`[data-part=${name}]`));
const address = page.dataset.tiles;
const language = document.documentElement.lang || "en";

let etag = "";
let failures = 0;
let isAsking = false;
let heardMs = Date.now();
/** What a picture is about to be: the latest word holds, whichever loads first.
 * @type {WeakMap<Element, {source: string, fresh: HTMLElement}>} */
const coming = new WeakMap();

async function poll() {
  if (isSeen()) await ask();
  setTimeout(poll, POLL_MS);
}

async function ask() {
  // Of two answers the later one would not be known.
  if (isAsking) return;
  isAsking = true;
  let isGood = false;
  try {
    const response = await fetch(address ?? "", {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    isGood = response.status === 200 || response.status === 304;
    if (response.status === 200) {
      etag = response.headers.get("ETag") ?? "";
      take(await response.text());
    }
    // Signed out meanwhile: the page itself leads to where one signs in.
    if (response.type === "opaqueredirect") location.reload();
  } catch {
    // Away for a moment.
  }
  isAsking = false;
  if (isGood) heardMs = Date.now();
  failures = isGood ? 0 : failures + 1;
  part("away").hidden = failures < 2;
}

/** @param {string} html */
function take(html) {
  const news = new DOMParser().parseFromString(html, "text/html");
  const fresh = news.querySelector(".tiles");
  const list = page.querySelector(".tiles");
  if (!(fresh instanceof HTMLElement) || !list) return;
  const summary = page.querySelector("[data-part=summary]");
  if (summary) summary.textContent = fresh.dataset.summary ?? "";
  const held = new Map(children(list).map((tile) => [tile.dataset.id, tile]));
  const wanted = children(fresh).map((tile) => {
    const known = held.get(tile.dataset.id);
    if (known) change(known, tile);
    return known ?? tile;
  });
  takeFirsts(news);
  const isInOrder = wanted.every((tile, i) => list.children[i] === tile);
  // Moved only where the order is another: moving takes the focus away.
  if (!isInOrder || wanted.length !== list.children.length) {
    const focused = document.activeElement;
    list.replaceChildren(...wanted);
    if (focused instanceof HTMLElement && list.contains(focused)) focused.focus({ preventScroll: true });
  }
  tick();
}

/** First showings, on the page of one screen: who may not be shown any more is gone from them too.
 * @param {Document} news */
function takeFirsts(news) {
  const [list, fresh] = [page.querySelector(".firsts"), news.querySelector(".firsts")];
  if (!list || !fresh) return;
  const held = new Map(children(list).map((first) => [first.dataset.id, first]));
  const wanted = children(fresh).map((first) => held.get(first.dataset.id) ?? first);
  const isSame = wanted.length === held.size && wanted.every((first, i) => list.children[i] === first);
  if (!isSame) list.replaceChildren(...wanted);
}

/** @param {HTMLElement} tile @param {HTMLElement} fresh */
function change(tile, fresh) {
  const [box, freshBox] = [picture(tile), picture(fresh)];
  const img = freshBox.querySelector("img");
  const source = img?.getAttribute("src") ?? "";
  const isComing = coming.get(box)?.source === source;
  const swap = (/** @type {Node[]} */ ...drawn) => {
    coming.delete(box);
    box.replaceChildren(...drawn);
    tell(tile, fresh);
  };
  // Nobody on it may be seen any more: gone at once.
  if (!img) return swap(...freshBox.childNodes);
  if (box.querySelector("img")?.getAttribute("src") === source) {
    coming.delete(box);
    return tell(tile, fresh);
  }
  // Out of sight: it loads when it is scrolled to.
  if (box.getBoundingClientRect().top > innerHeight * 2) return swap(document.adoptNode(img));
  coming.set(box, { source, fresh });
  if (isComing) return;
  const ready = new Image(img.width, img.height);
  ready.alt = img.alt;
  ready.src = source;
  const settle = (/** @type {Node} */ drawn) => {
    const latest = coming.get(box);
    if (latest?.source !== source) return false;
    coming.delete(box);
    box.replaceChildren(drawn);
    tell(tile, latest.fresh);
    return true;
  };
  // One that is replaced or taken down meanwhile fails; so is the one that stands there. All is told
  // anew.
  ready.decode().then(
    () => settle(ready),
    () => settle(none()) && (etag = ""),
  );
}

/** In the place of a picture. */
function none() {
  const span = document.createElement("span");
  span.className = "tile-none";
  return span;
}

/** Takes all pictures away until the server is heard again. */
function goBlind() {
  etag = "";
  for (const box of page.querySelectorAll(".tiles .tile-picture")) {
    coming.delete(box);
    if (box.querySelector("img")) box.replaceChildren(none());
  }
  page.querySelector(".firsts")?.replaceChildren();
}

/** @param {HTMLElement} tile @param {HTMLElement} fresh */
function tell(tile, fresh) {
  tile.dataset.state = fresh.dataset.state;
  tile.toggleAttribute("data-overdue", fresh.hasAttribute("data-overdue"));
  words(tile).replaceChildren(...words(fresh).cloneNode(true).childNodes);
  tick();
}

/** @param {HTMLElement} tile */
function picture(tile) {
  return /** @type {Element} */ (tile.querySelector(".tile-picture"));
}

/** @param {HTMLElement} tile */
function words(tile) {
  return /** @type {Element} */ (tile.querySelector(".tile-words"));
}

/** @param {Element} list */
function children(list) {
  return /** @type {HTMLElement[]} */ ([...list.children]);
}

function tick() {
  if (Date.now() - heardMs > BLIND_MS) goBlind();
  for (const time of page.querySelectorAll("time[data-since]")) {
    if (!(time instanceof HTMLElement)) continue;
    const said = ago((Date.now() + aheadMs - Date.parse(time.dataset.since ?? "")) / 1000, language);
    if (time.textContent !== said) time.textContent = said;
  }
}

tick();
setInterval(tick, TICK_MS);
if (address) setTimeout(poll, POLL_MS);
document.addEventListener("visibilitychange", () => {
  if (!isSeen()) return;
  tick();
  ask();
});
page.dataset.ready = "yes";
