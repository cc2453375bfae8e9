// The figurine from all sides: asks for what is made, shows the model, hands it to the phone's AR.

import { followPage } from "./following.js";
import { main, redrawing } from "./redraw.js";
import { bring, turnable } from "./turntable.js";

/** @typedef {import("../lib/status.js").Status} Status */

const redraw = redrawing({
  keep,
  arrived: () => {
    arrive();
    following.ask(); // for what came meanwhile
  },
  again: () => following.ask(),
});

/** @returns {Status} */
const drawn = () => JSON.parse(String(main().dataset.status));

/** What the page looks like, but for the progress. @param {Status} status */
function look({ state, keepsakes: { glb, stl } }) {
  return JSON.stringify([state, glb.stand, glb.url, stl.stand, stl.url]);
}

/** @param {Status} status */
function onStatus(status) {
  if (look(status) === look(drawn())) move(status);
  else void redraw();
}

/** The model stays where it is and turns on, while the words around it change. */
function keep(/** @type {HTMLElement} */ old, /** @type {HTMLElement} */ next) {
  const was = old.querySelector(".plinth");
  const will = next.querySelector(".plinth");
  if (was instanceof HTMLElement && will instanceof HTMLElement) {
    if (was.dataset.model && was.dataset.model === will.dataset.model) will.replaceWith(was);
  }
}

/** Once for every drawing. */
function arrive() {
  move(drawn());
  for (const form of main().querySelectorAll("form")) form.addEventListener("submit", order);
  const plinth = main().querySelector(".plinth");
  const { viewer = "", light = "" } = main().dataset;
  if (!(plinth instanceof HTMLElement)) return;
  const { glb } = drawn().keepsakes;
  // While it is cast, the viewer comes over the air.
  if (glb.stand === "making") bring(viewer).catch(() => undefined);
  if (plinth.dataset.model) {
    turnable(plinth, { viewer, light }).then(offerAr).catch(() => undefined);
  }
}

/** Where the phone can stand it on a table, that is what the page is for. */
function offerAr(/** @type {import("./turntable.js").Viewer} */ model) {
  const place = main().querySelector("#place");
  const file = main().querySelector("#keep-model");
  if (!(place instanceof HTMLElement) || !(file instanceof HTMLElement) || !model.canActivateAR) return;
  place.hidden = false;
  place.addEventListener("click", () => void model.activateAR());
  file.className = "button quiet";
  main().querySelector(".pair")?.append(file);
}

/** Ask without leaving the page, or as any form does where that fails. @param {SubmitEvent} event */
async function order(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  if (button.disabled) return;
  const body = new FormData(form, button);
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`refused ${answer.status}`);
    following.ask();
  } catch {
    button.disabled = false;
    form.removeEventListener("submit", order);
    form.requestSubmit(button);
  }
}

/** @param {Status} status */
function move({ keepsakes }) {
  for (const line of main().querySelectorAll("[data-casting]")) {
    if (!(line instanceof HTMLElement)) continue;
    const { percent } = line.dataset.casting === "stl" ? keepsakes.stl : keepsakes.glb;
    line.textContent = String(line.textContent).replace(/\d+ %/, `${percent} %`);
  }
}

const following = followPage({ main, onStatus });
arrive();
