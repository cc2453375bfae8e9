// The enlisting page: consent, camera, check, send. All words are in the template.

import { keptId, randomId } from "../lib/identity.js";
import { filled, span } from "../lib/status.js";
import { deliver, post, wayOn } from "../lib/upload.js";
import { Camera } from "./camera.js";
import { Mine } from "./mine.js";
import { Picker } from "./picker.js";
import { lightened, snapped } from "./picture.js";

/** @typedef {"consent" | "camera" | "check" | "kit"} Step */
/** @typedef {"check" | "sending" | "waiting" | "refused"} Look */

const DEVICE = "diorama.device";
/** A pause that is shorter is over before anybody has read how long. */
const TOLD_FROM_MS = 8000;

const local = () => window.localStorage;

/**
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {E}
 */
const one = (selector, root = document) => /** @type {E} */ (root.querySelector(selector));
/** @param {string} selector @param {ParentNode} [root] @returns {HTMLElement[]} */
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

/** @type {HTMLFormElement} */
const form = one("#enlist");
/** @type {HTMLInputElement} */
const agreed = one("[name=consent_sha256]");
/** @type {HTMLInputElement} */
const plaque = one("[name=plaque]");
/** @type {HTMLElement} */
const checkStep = one("[data-step=check]");
/** @type {HTMLElement} */
const viewfinder = one("#viewfinder");
/** @type {HTMLButtonElement} */
const take = one("#take");
/** @type {HTMLElement} */
const flip = one("#flip");
/** @type {HTMLElement} */
const ownCamera = one("#own-camera");
/** @type {HTMLImageElement} */
const preview = one("#preview");
/** @type {HTMLElement} */
const previewNone = one("#preview-none");
/** @type {HTMLProgressElement} */
const progress = one("#progress");
/** @type {HTMLElement | null} only where there is something to choose */
const kitStep = document.querySelector("[data-step=kit]");
const picker = kitStep && new Picker(kitStep);
const camera = new Camera(one("#video"));
const mine = new Mine(one("#mine"));

/** @type {Blob | null} */
let photo = null;
/** One for each photo, so that sending it again makes one submission, and another photo another. */
let idempotencyKey = "";
let isBusy = false;
/** @type {(() => void) | null} */
let endPause = null;
/** @type {ReturnType<typeof wayOn>} */
let way = "retake";

// --- steps ------------------------------------------------------------------------------------

/** @param {Step} step */
function show(step) {
  for (const section of all("[data-step]")) section.hidden = section.dataset.step !== step;
  window.scrollTo(0, 0);
  one(`[data-step=${step}] h1`).focus({ preventScroll: true });
  if (step === "camera") void openCamera();
  else camera.close();
  if (step === "check") picker?.fetchAhead();
  if (step === "kit") picker?.arrive();
}

/** @param {Step} step */
function go(step) {
  if (history.state?.step !== step) history.pushState({ step }, "");
  show(step);
}

/** A page left and come back to, by whatever way, begins at the beginning. */
function begin() {
  isBusy = false;
  setPhoto(null);
  look("check");
  history.replaceState({ step: "consent" }, "");
  show("consent");
  void mine.ask();
}

/** @param {Look} now */
function look(now) {
  checkStep.dataset.look = now;
  for (const part of all("[data-when]", checkStep)) {
    part.hidden = !String(part.dataset.when).split(" ").includes(now);
  }
  one("#retake").hidden = now === "refused" && way !== "resend";
}

// --- camera -----------------------------------------------------------------------------------

/** @param {string} name */
function hint(name) {
  for (const line of all("[data-hint]", viewfinder)) line.hidden = line.dataset.hint !== name;
}

async function openCamera() {
  viewfinder.dataset.camera = "asking";
  hint("ask");
  setCameraParts({ isLive: Camera.isAllowed, canTake: false, hasOwn: true });
  report(await camera.open());
}

/** @param {Awaited<ReturnType<Camera["open"]>>} reason */
function report(reason) {
  if (reason) {
    viewfinder.dataset.camera = "off";
    hint(reason);
    setCameraParts({ isLive: false, canTake: false, hasOwn: reason !== "missing" });
    return;
  }
  if (!camera.isOn) return;
  viewfinder.dataset.camera = "on";
  hint("aim");
  setCameraParts({ isLive: true, canTake: true, hasOwn: true });
  void camera.canFlip().then((can) => (flip.hidden = !can));
  camera.watchLight((isDim) => hint(isDim ? "dark" : "aim"));
}

/**
 * The live camera, else the phone's own, else a photo: one main button at a time.
 * @param {{isLive: boolean, canTake: boolean, hasOwn: boolean}} parts
 */
function setCameraParts({ isLive, canTake, hasOwn }) {
  take.hidden = !isLive;
  take.disabled = !canTake;
  ownCamera.hidden = isLive;
  one("#choose").hidden = !hasOwn;
  for (const words of all("[data-own]")) words.hidden = (words.dataset.own === "camera") !== hasOwn;
  if (hasOwn) one("#photo-camera").setAttribute("capture", "user");
  else one("#photo-camera").removeAttribute("capture");
  if (!isLive) flip.hidden = true;
}

// --- photo ------------------------------------------------------------------------------------

/** @param {Blob | null} blob */
function setPhoto(blob) {
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.removeAttribute("src");
  preview.hidden = previewNone.hidden = true;
  photo = blob;
  idempotencyKey = randomId();
  if (!blob) return;
  preview.hidden = false;
  preview.src = URL.createObjectURL(blob);
}

/** @param {Blob | Promise<Blob>} coming */
async function choose(coming) {
  if (isBusy) return;
  isBusy = true;
  setPhoto(null);
  const { maxBytes, tooLarge = "", tooLargeAdvice = "" } = form.dataset;
  const { noPicture = "", noPictureAdvice = "" } = form.dataset;
  try {
    const light = await lightened(await coming);
    setPhoto(light);
    look("check");
    go("check");
    // Before a kit is picked, where this step would be out of sight.
    if (light.size > Number(maxBytes)) {
      refuse({ code: "too_large", sentence: tooLarge, advice: tooLargeAdvice });
    }
  } catch {
    go("check");
    refuse({ code: "no_picture", sentence: noPicture, advice: noPictureAdvice });
  } finally {
    isBusy = false;
  }
}

// --- send -------------------------------------------------------------------------------------

/** @returns {FormData} */
function enlistment() {
  const data = new FormData(form);
  data.set("idempotency_key", idempotencyKey);
  data.set("device", keptId(local, DEVICE, randomId));
  data.set("photo", /** @type {Blob} */ (photo), "selfie");
  return data;
}

/** Whether an upload whose answer was lost has arrived after all: then its page is gone to. One that
 * was answered is another figurine, of whoever had this phone before perhaps. */
async function isSentAlready() {
  const found = await mine.ask();
  const arrived = found.find(({ key }) => !mine.sent.isAnswered(key));
  if (!arrived) return false;
  mine.sent.answered(arrived.key);
  window.location.assign(arrived.status_url);
  return true;
}

async function send() {
  if (isBusy || !photo) return;
  isBusy = true;
  show("check");
  look("sending");
  onProgress(0);
  if (await isSentAlready()) return;
  mine.sent.add(idempotencyKey);
  const data = enlistment();
  const answer = await deliver({
    send: () => {
      look("sending");
      onProgress(0);
      return post(form.action, data, { onProgress });
    },
    pause,
    onLost: () => look("waiting"),
  });
  if (answer.kind === "accepted") {
    mine.sent.answered(idempotencyKey);
    window.location.assign(answer.statusUrl);
    return;
  }
  isBusy = false;
  // What our server refuses it has not stored; of a gateway's word nobody knows.
  if (answer.code && answer.code !== "unreachable") mine.sent.forget([idempotencyKey]);
  refuse(answer);
}

/** Until it is time, or somebody says so; a long one counts down. @param {number} ms */
async function pause(ms) {
  const endsAt = Date.now() + ms;
  const line = one("#wait");
  const count = () => {
    const { unit, n } = span(Math.max(1, Math.round((endsAt - Date.now()) / 1000)));
    line.textContent = filled(String(line.dataset[unit]), { n });
  };
  line.hidden = ms < TOLD_FROM_MS;
  count();
  const counting = setInterval(count, 1000);
  await new Promise((resolve) => {
    endPause = () => resolve(undefined);
    setTimeout(resolve, ms);
  });
  clearInterval(counting);
  line.hidden = true;
}

/** To the camera, unless the photo that is here went up although nobody said so. */
async function retake() {
  if (isBusy) return;
  isBusy = true;
  if (await isSentAlready()) return;
  isBusy = false;
  go("camera");
}

/** @param {number} done */
function onProgress(done) {
  const percent = Math.round(100 * done);
  progress.value = percent;
  one("#percent").textContent = `${percent} %`;
  for (const phase of all("[data-phase]", checkStep)) {
    phase.hidden = phase.dataset.phase !== (percent < 100 ? "up" : "look");
  }
}

/** @param {{code: string, sentence: string, advice: string}} refusal */
function refuse({ code, sentence, advice }) {
  way = wayOn(code);
  one("#sentence").textContent = sentence || String(form.dataset.lost);
  one("#advice").textContent = sentence ? advice : String(form.dataset.lostAdvice);
  for (const words of all("[data-way]")) words.hidden = words.dataset.way !== way;
  look("refused");
  one("#way-on").focus();
}

function goOn() {
  switch (way) {
    case "rename":
      look("check");
      plaque.focus();
      plaque.select();
      break;
    case "agree":
      go("consent");
      break;
    case "reload":
      window.location.reload();
      break;
    case "resend":
      look("check");
      void send();
      break;
    default:
      void retake();
  }
}

// --- wires ------------------------------------------------------------------------------------

one("#go-camera").addEventListener("click", () => {
  one("#consent-nudge").hidden = agreed.checked;
  if (agreed.checked) go("camera");
  else agreed.focus();
});
agreed.addEventListener("change", () => (one("#consent-nudge").hidden = true));

take.addEventListener("click", () => {
  if (camera.isOn) void choose(snapped(camera.video));
});
flip.addEventListener("click", async () => report(await camera.flip()));
document.querySelector("#go-kit")?.addEventListener("click", () => go("kit"));
one("#retake").addEventListener("click", () => void retake());
one("#way-on").addEventListener("click", goOn);
one("#send-now").addEventListener("click", () => endPause?.());
window.addEventListener("online", () => {
  endPause?.();
  // Whoever has gone on from the photo may not want it any more.
  if (!checkStep.hidden && checkStep.dataset.look === "refused" && way === "resend") goOn();
});

for (const input of /** @type {HTMLInputElement[]} */ (all("input[type=file]"))) {
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = "";
    if (file) void choose(file);
  });
}
preview.addEventListener("error", () => {
  preview.hidden = true;
  previewNone.hidden = !photo;
});

viewfinder.addEventListener("dragover", (event) => {
  event.preventDefault();
  viewfinder.dataset.drop = "";
});
viewfinder.addEventListener("dragleave", () => delete viewfinder.dataset.drop);
viewfinder.addEventListener("drop", (event) => {
  event.preventDefault();
  delete viewfinder.dataset.drop;
  const file = event.dataTransfer?.files[0];
  if (file) void choose(file);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  // Enter in the name's field is not yet the end where there is a kit to pick.
  if (kitStep?.hidden && checkStep.dataset.look === "check") go("kit");
  else void send();
});
window.addEventListener("popstate", (event) => {
  if (isBusy) return;
  const step = /** @type {Step} */ (event.state?.step ?? "consent");
  show((step === "check" || step === "kit") && !photo ? "camera" : step);
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) begin();
});
document.addEventListener("visibilitychange", () => {
  if (one("[data-step=camera]").hidden) return;
  if (document.hidden) camera.close();
  else void openCamera();
});

// A photo is sent by this page, never by the form: the browser need not insist on one.
one("#photo-file").removeAttribute("required");
agreed.removeAttribute("required");
begin();
