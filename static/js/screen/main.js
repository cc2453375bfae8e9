// Entry of the screen: wires the feed, the way to the server, the stage, and what the device keeps.

import { solidBox } from "../lib/bounds.js";
import { Clock } from "../lib/clock.js";
import { Feed } from "../lib/feed.js";
import { Link } from "../lib/link.js";
import { forgetOrders, Orders, Refused } from "../lib/orders.js";
import { Outbox } from "../lib/outbox.js";
import { Pictures } from "../lib/pictures.js";
import { isShellKept, keepShell, wipeShell } from "../lib/shell.js";
import { Shelf } from "../lib/shelf.js";
import { Spool } from "../lib/spool.js";
import { Stock } from "../lib/stock.js";
import { keepToken } from "../lib/token.js";
import { Films } from "./films.js";
import { Glances } from "./glances.js";
import { identify } from "./identify.js";
import { Player } from "./player.js";
import { Renewal } from "./renewal.js";
import { painted } from "./showings.js";
import { Stage } from "./stage.js";
import { megabytes, watchOver } from "./watchdogs.js";

const MEASURE_PX = 128;
/** A few megabytes each. A rotation comes by all of them: fewer than it has are none at its turn. */
const CLIPS_MOST_BYTES = 256 * 2 ** 20;
const FRESH_EVERY_MS = 60_000;
/** What the play that is on loses at most when the browser is killed. */
const NOTE_EVERY_MS = 2000;
const EXPIRE_EVERY_MS = 10_000;
const SLEEP_EVERY_MS = 1000;
/** So long the network may take to come up after a sleep. Less than the player waits for the server. */
const WAKE_MS = 25_000;
const STOCK_EVERY_MS = 30_000;
const CLOCK = "diorama.clock";

const root = document.documentElement;
const { slotS, version, page, socket, screen: owner = "" } = document.body.dataset;
const { feedUrl, acksUrl, workerUrl, renewUrl, capturesUrl } = document.body.dataset;

/** @type {"mp4" | "webm"} */
const playable = document.createElement("video").canPlayType('video/mp4; codecs="avc1.640028"') ? "mp4" : "webm";

const clock = new Clock({ known: clockKnown() });
const shelf = new Shelf({ owner });
const spool = new Spool({ owner });
const feed = new Feed({ now: () => clock.now() });
const outbox = new Outbox({ store: spool });
const renewal = new Renewal({
  fetch: (...request) => fetch(...request),
  reload: () => location.reload(),
  storage: sessionStorage,
  isShellKept,
});
const glances = new Glances(capturesUrl);
let askedFreshMs = -FRESH_EVERY_MS;

const drawers = { picture: shelf.drawer("picture"), clip: shelf.drawer("clip") };
const pictures = new Pictures({
  fetch: (...request) => fetch(...request),
  measure,
  drawer: drawers.picture,
});
const clips = new Pictures({
  fetch: (...request) => fetch(...request),
  measure: async () => ({}),
  address: ({ clip }) => (clip ? clip[playable] : ""),
  most: Infinity,
  mostBytes: CLIPS_MOST_BYTES,
  drawer: drawers.clip,
});
const stock = new Stock({
  sources: [
    { wants: (item) => drawers.picture.lacks(item), stock: (item) => pictures.stock(item) },
    {
      wants: (item) => item.clip !== null && drawers.clip.lacks(item),
      stock: (item) => clips.stock(item),
    },
  ],
  hasRoom: () => shelf.hasRoom && link.isHeard,
});

const orders = new Orders({
  now: () => clock.now(),
  storage: localStorage,
  apply: (state) => {
    stage.obey(state);
    player.obey(state);
  },
  painted,
  deeds: { identify: ({ value }) => identify(value), reload, capture },
  tell: (ack) => {
    outbox.add(ack);
    link.flush();
  },
});

const stage = new Stage();
const player = new Player({
  feed,
  pictures,
  clips,
  stage,
  slotMs: Number(slotS) * 1000,
  now: () => clock.now(),
  ack: (ack) => {
    outbox.add(ack);
    // A page that ends within the first seconds of a play has shown somebody too.
    if (ack.ack === "shown" && ack.duration_ms === null) note();
    link.flush();
    tellTests();
  },
  onMissing: askFresh,
  forget: (submissions) => shelf.forget(submissions),
  onShown: (submission, isFirst) => {
    // Before a reload too: the server would refuse a second picture of everybody.
    glances.shown(submission, isFirst && !shelf.wasShown(submission));
    shelf.shown(submission);
  },
});

const films = new Films({ now: () => clock.now(), onRest: (isOn) => player.rest(isOn) });

const link = new Link({
  socketUrl: new URL(socket ?? "", location.href.replace(/^http/, "ws")).href,
  feedUrl: feedUrl ?? "",
  acksUrl: acksUrl ?? "",
  outbox,
  here: () => ({
    ...feed.place,
    version: version ?? "",
    width_px: Math.round(innerWidth * devicePixelRatio),
    height_px: Math.round(innerHeight * devicePixelRatio),
    ...vitals(),
  }),
  rest: () => feed.rest,
  onFrame,
  onState: (state) => {
    if (state === "open") player.hold();
    root.dataset.socket = state;
  },
  onUnpaired,
  onAway: () => player.release(),
});

// In the same breath as the stage was made, and before a disk is waited for that may hang: dark or black
// from the first frame on.
orders.restore();

/** @param {any} frame */
function onFrame(frame) {
  if (frame.type === "time") {
    if (clock.answer(frame)) link.say(clock.ask());
    return;
  }
  const plan = frame.type === "plan" ? frame : frame.plan;
  // First of all: by a clock that is ahead, everyone told of would be over.
  clock.hear(frame.at);
  glances.hear(frame);
  // In beats, and in what a poll is answered.
  if ("page" in frame && frame.page !== page) renewal.forNewLook();
  if (frame.type === "beat") {
    // An older server would take the question for no frame, and hang up; one that says whether the
    // crew looks knows it.
    if ("watched" in frame) link.say(clock.ask());
    if (feed.isBehind(frame)) link.pull();
  } else if (["snapshot", "rest", "changes"].includes(frame.type)) {
    const news = feed.apply(frame);
    player.take(news);
    glances.removed(news.removed);
    // After the removals, which the player has the shelf forget: the place never tells of more.
    const isWhole = frame.type === "snapshot";
    shelf.follow(feed.place, isWhole ? [...feed.items.values()] : news.told);
    if (news.isBehind) link.pull();
    fillShelf();
  } else if (frame.type === "orders") {
    orders.take(frame);
  }
  if (plan) player.follow(plan);
  tellTests();
}

/** The server's word that this is no screen of its own: nothing of anybody stays here. The page for
 * screens without a key says what to do, and comes back by itself. */
function onUnpaired() {
  player.drop(feed.forget());
  shelf.wipe();
  wipeShell().catch(() => {});
  orders.forget();
  tellTests();
  renewal.forUnpaired();
}

/** How this screen is (billboard/protocol.py, Vitals). */
function vitals() {
  const { items, bytes, quotaBytes } = shelf.held;
  return {
    ...watch.vitals(),
    kept_items: items,
    kept_mb: megabytes(bytes),
    quota_mb: megabytes(quotaBytes),
    clock_off_ms: -Math.round(clock.known.aheadMs),
  };
}

/** As the crew asks. */
async function reload() {
  if (!(await renewal.forOrder())) throw new Refused("the server does not answer");
}

/** As the crew asks. */
async function capture() {
  const why = await glances.ask();
  if (why) throw new Refused(why);
}

/** Takes down whose day is over. */
function expire() {
  const over = feed.expire();
  player.drop(over);
  glances.removed(over);
  tellTests();
}

/** The device may have slept, and whom it holds may have been recalled: as at a cold start, but whoever
 * is on stays, since it may be that only its clock was set. */
function wake() {
  player.restore();
  link.askAnew();
  setTimeout(() => {
    clock.catchUp();
    expire();
  }, WAKE_MS);
}

function fillShelf() {
  stock.fill(() => [...feed.items.values()]);
}

/** Unread: whatever lies there. @returns {unknown} */
function clockKnown() {
  try {
    return JSON.parse(localStorage.getItem(CLOCK) ?? "null");
  } catch {
    return null;
  }
}

/** Notes what is on and what time it is, for a start after a power cut. */
function note() {
  if (watch.isDrawing()) spool.note(player.plays);
  try {
    localStorage.setItem(CLOCK, JSON.stringify(clock.known));
  } catch {
    // Full or forbidden: the device's own clock will have to do.
  }
}

/** A pairing link opened on a screen makes it the link's. The unpaired page does the same. */
async function pairAnew() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return;
  // Out of the address before anything else: it would stay in the history.
  history.replaceState(null, "", location.pathname);
  const response = await fetch("session/", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  });
  if (!response.ok) return;
  forgetOrders(localStorage);
  // What is kept is the page of the screen that this was: a slow server would bring it up again.
  await wipeShell().catch(() => {});
  location.reload();
}

/** Addresses of pictures live an hour or two; a snapshot brings new ones. */
function askFresh() {
  if (performance.now() - askedFreshMs < FRESH_EVERY_MS) return;
  askedFreshMs = performance.now();
  link.pull({ epoch: null, seq: 0 });
}

/** What the player is at, readable from outside. */
function tellTests() {
  root.dataset.epoch = feed.place.epoch ?? "";
  root.dataset.seq = String(feed.place.seq);
  root.dataset.hero = player.hero ?? "";
  root.dataset.items = String(feed.items.size);
  root.dataset.clockWithinMs = clock.withinMs?.toFixed(1) ?? "";
}

/** @param {Blob} blob */
async function measure(blob) {
  const bitmap = await createImageBitmap(blob);
  const aspect = bitmap.width / bitmap.height;
  const canvas = new OffscreenCanvas(MEASURE_PX, Math.round(MEASURE_PX / aspect));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { aspect, solid: solidBox(data, canvas.width, canvas.height) };
}

/** Keeps the display from sleeping, where the browser lets pages ask (https). */
async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  const lock = await navigator.wakeLock?.request("screen").catch(() => null);
  lock?.addEventListener("release", stayAwake);
}

/** Goes on where the device was: plays that were not told, and figurines once nothing speaks against
 * them. */
async function takeUp() {
  await Promise.all([shelf.open(), spool.open()]);
  const { entries, lastId, endings } = await spool.load();
  outbox.restore(entries, lastId);
  orders.resume();
  endings.forEach((ending) => outbox.add(ending));
  const { items } = await shelf.load(clock.now());
  feed.restore(items);
  // What was kept is not all there is, and its addresses are old: begins with a snapshot.
  link.pull({ epoch: null, seq: 0 });
}

document.addEventListener("visibilitychange", stayAwake);
stayAwake();
root.dataset.socket = "polling";
await takeUp();
player.restore();
const watch = watchOver({
  renew: (why) => renewal.forHealth(why),
  isQuiet: () => player.isQuiet,
});
requestAnimationFrame(() => renewal.drew());
tellTests();
link.connect();
root.dataset.started = ""; // For screen/start.js: nothing before threw or hung.
setInterval(note, NOTE_EVERY_MS);
setInterval(expire, EXPIRE_EVERY_MS);
setInterval(() => {
  if (clock.hasSlept()) wake();
}, SLEEP_EVERY_MS);
setInterval(fillShelf, STOCK_EVERY_MS);
if (workerUrl) keepShell(workerUrl);
if (renewUrl) keepToken(renewUrl);
addEventListener("hashchange", () => pairAnew().catch(() => {}));
pairAnew().catch(() => {});
