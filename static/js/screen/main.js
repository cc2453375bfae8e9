// Entry of the screen: wires the feed, the way to the server and the stage.

import { solidBox } from "../lib/bounds.js";
import { Feed } from "../lib/feed.js";
import { Link } from "../lib/link.js";
import { Outbox } from "../lib/outbox.js";
import { Pictures } from "../lib/pictures.js";
import { Player } from "./player.js";
import { Renewal } from "./renewal.js";
import { Stage } from "./stage.js";

const MEASURE_PX = 128;
/** A few megabytes each. A rotation comes by all of them: fewer than it has are none at its turn. */
const CLIPS_MOST_BYTES = 256 * 2 ** 20;
const CLIP_LOAD_MS = 30_000;
const FRESH_EVERY_MS = 60_000;

const root = document.documentElement;
const { slotS, version, page, socket, feedUrl, acksUrl } = document.body.dataset;

/** @type {"mp4" | "webm"} */
const playable = document.createElement("video").canPlayType('video/mp4; codecs="avc1.640028"') ? "mp4" : "webm";

const feed = new Feed();
const outbox = new Outbox();
const renewal = new Renewal({
  fetch: (...request) => fetch(...request),
  reload: () => location.reload(),
  storage: sessionStorage,
});
let clockAheadMs = 0;
let askedFreshMs = -FRESH_EVERY_MS;

const player = new Player({
  feed,
  pictures: new Pictures({ fetch: (...request) => fetch(...request), measure }),
  clips: new Pictures({
    fetch: (...request) => fetch(...request),
    measure: async () => ({}),
    address: ({ clip }) => (clip ? clip[playable] : ""),
    most: Infinity,
    mostBytes: CLIPS_MOST_BYTES,
    loadMs: CLIP_LOAD_MS,
  }),
  stage: new Stage(),
  slotMs: Number(slotS) * 1000,
  now: () => Date.now() + clockAheadMs,
  ack: (ack) => {
    outbox.add(ack);
    link.flush();
    tellTests();
  },
  onMissing: askFresh,
});

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
  }),
  onFrame,
  onState: (state) => {
    if (state === "open") player.hold();
    root.dataset.socket = state;
  },
  // The page for screens without a key says what to do, and comes back by itself.
  onUnpaired: () => renewal.forUnpaired(),
});

/** @param {any} frame */
function onFrame(frame) {
  if (frame.type === "beat") {
    clockAheadMs = Date.parse(frame.at) - Date.now();
    if (frame.page !== page) renewal.forNewLook();
    if (feed.isBehind(frame)) link.pull();
  } else if (frame.type === "snapshot" || frame.type === "changes") {
    const news = feed.apply(frame);
    player.take(news);
    if (news.isBehind) link.pull();
  }
  tellTests();
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
  if (response.ok) location.reload();
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

document.addEventListener("visibilitychange", stayAwake);
stayAwake();
root.dataset.socket = "polling";
tellTests();
link.connect();
addEventListener("hashchange", () => pairAnew().catch(() => {}));
pairAnew().catch(() => {});
