// Picking another figurine. If it is decided meanwhile, this page leads back to the one that tells.

import { followPage } from "./following.js";
import { Picker } from "./picker.js";

const form = /** @type {HTMLFormElement} */ (document.querySelector("#another"));
const send = /** @type {HTMLButtonElement} */ (form.querySelector("#send"));
const { page = "" } = form.dataset;
let isSent = false;

const picker = new Picker(form);
picker.fetchAhead();
picker.arrive();

form.addEventListener("submit", (event) => {
  if (isSent) event.preventDefault();
  isSent = send.disabled = true;
});

followPage({
  main: () => form,
  onStatus: ({ rerolls_left, is_on_desk }) => {
    if (!isSent && (!rerolls_left || is_on_desk)) window.location.replace(page);
  },
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) isSent = send.disabled = false;
});
