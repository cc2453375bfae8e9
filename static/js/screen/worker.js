// The screen's service worker: holds the player whole, so that it starts without a network.
//
// A shell is one version of the page and of every file it loads, in one cache. It is fetched as a
// whole, each file checked against the digest that the server gave with the version, and it counts
// once the page lies in it, which is put there last: an old shell never mixes with new files. A new
// one waits for the next load of the page. This file itself knows no version and changes rarely.
// Pictures of people never pass through here.

const PREFIX = "diorama.shell.";
const SHELF = "diorama-shelf"; // static/js/lib/stores.js
const PAGE = new URL("./", self.location.href).href;
const LIST = new URL("shell.json", PAGE).href;
/** Headers of billboard/views.py. */
const VERSION = "Diorama-Shell";
const UNPAIRED = "Diorama-Unpaired";

/** How long the page's answer may take to begin before the one that is held is shown. */
const ANSWER_MS = 3000;
/** The same where none is held. */
const ONLY_ANSWER_MS = 60_000;
/** How long a new shell may take to come before the old one is shown once more. */
const FILL_MS = 15_000;

/** @type {Promise<void> | null} One at a time. */
let filling = null;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([self.clients.claim(), fill().catch(() => {})]));
});

self.addEventListener("message", (event) => {
  if (event.data === "fill") event.waitUntil(fill().catch(() => {}));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (address.origin + address.pathname === PAGE) respond(event, page(request));
    return;
  }
  // Scripts, styles, fonts and images of the page. What scripts fetch, pictures of people and the
  // feed among them, goes its own way.
  if (request.destination !== "") respond(event, file(request));
});

/** A disk that gives an error does not stand between the page and the server.
 * @param {FetchEvent} event @param {Promise<Response>} found */
function respond(event, found) {
  event.respondWith(found.catch(() => fetch(event.request)));
}

/** Network first. What the server says of this screen holds; without it, the shell.
 * @param {Request} request */
async function page(request) {
  const newest = (await whole()).at(-1);
  const answer = await begun(request, newest ? ANSWER_MS : ONLY_ANSWER_MS);
  if (answer?.headers.has(UNPAIRED)) {
    await wipe();
    return answer;
  }
  const version = answer?.ok && answer.headers.get(VERSION);
  // A gateway's error page, or a hotel's: no server of ours.
  if (!version) return (await choose()) ?? answer ?? Response.error();
  if (!newest) return answer;
  const held = newest.slice(PREFIX.length);
  // Another screen's: not even for want of a better one.
  if (screenOf(held) !== screenOf(version)) {
    await wipe();
    return answer;
  }
  if (held !== version) await Promise.race([fill().catch(() => {}), late(FILL_MS)]);
  // Whole, whichever it is: the new one, or the old one until the new one is complete. Where it is the
  // server's own, the rest of the answer may still never come.
  return (await choose()) ?? answer;
}

/** The page of the newest shell. Older ones go: from now on this is the oldest, whose files the page
 * gets, whatever comes meanwhile and however often this worker is ended. */
async function choose() {
  const newest = (await whole()).at(-1);
  if (!newest) return null;
  for (const name of await shells()) {
    if (name === newest) break;
    await caches.delete(name);
  }
  return (await (await caches.open(newest)).match(PAGE)) ?? null;
}

/** The answer once its headers are there; null where they are not in time. Its body may take longer: cut
 * off, half a page would stand there for good.
 * @param {Request} request @param {number} ms */
async function begun(request, ms) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), ms);
  const answer = await fetch(request, { signal: giveUp.signal }).catch(() => null);
  clearTimeout(timer);
  return answer;
}

/** @param {Request} request */
async function file(request) {
  const [oldest] = await whole();
  const shell = oldest === undefined ? null : await caches.open(oldest);
  return (await shell?.match(request.url)) ?? fetch(request);
}

/** Fetches the server's shell where it is another than the one held. Rejects when it is not whole. */
function fill() {
  filling ??= fetchShell().finally(() => {
    filling = null;
  });
  return filling;
}

async function fetchShell() {
  const list = await fetch(LIST, { cache: "no-store" });
  if (list.status === 403 && list.headers.has(UNPAIRED)) return wipe();
  if (!list.ok) throw new Error(`shell: ${list.status}`);
  const { version, files } = await list.json();
  const name = PREFIX + version;
  const held = await whole();
  if (held.includes(name)) {
    // The server went back to it: those that came after are wanted no more.
    const later = held.slice(held.indexOf(name) + 1);
    await Promise.all(later.map((other) => caches.delete(other)));
    return;
  }
  await caches.delete(name); // Begun once and not completed.
  const cache = await caches.open(name);
  try {
    await Promise.all(
      files.map(async (/** @type {{url: string, integrity: string}} */ { url, integrity }) => {
        const answer = await fetch(url, { cache: "no-store", ...(integrity ? { integrity } : {}) });
        if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
        await cache.put(url, answer);
      }),
    );
    const answer = await fetch(PAGE, { cache: "no-store" });
    if (!answer.ok || answer.headers.get(VERSION) !== version) throw new Error("the page moved on");
    await cache.put(PAGE, answer);
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
}

/** Names of the shells that are whole, the oldest first. One that cannot be read just now is left out: the
 * next look may find it, and where there is no server it may be the only one. */
async function whole() {
  const found = [];
  for (const name of await shells()) {
    try {
      if (await (await caches.open(name)).match(PAGE)) found.push(name);
    } catch (error) {
      console.warn("a shell cannot be read", name, error);
    }
  }
  return found;
}

/** Which screen a version is made for. @param {string} version */
function screenOf(version) {
  return version.split("-")[0];
}

/** The oldest first, as the browser lists them. */
async function shells() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX));
}

/** Nothing of this screen stays: not the player, nobody's picture. What it has shown waits to be
 * told, should it be a screen again. */
async function wipe() {
  await Promise.all((await shells()).map((name) => caches.delete(name)));
  const deletion = new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(SHELF);
    request.onsuccess = request.onerror = resolve;
  });
  // A page that still has it open lets go of it by itself.
  await Promise.race([deletion, late(1000)]);
}

/** @param {number} ms */
function late(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
