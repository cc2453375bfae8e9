// The model on its stage. The viewer is fetched when there is something to show, and not before.

/**
 * What this page uses of <model-viewer>. Source: its documentation, pages Loading, Staging, AR.
 * @typedef {HTMLElement & {canActivateAR: boolean, activateAR: () => Promise<void>}} Viewer
 */

const SIGHT = {
  ar: "",
  "ar-modes": "webxr scene-viewer quick-look",
  "camera-controls": "",
  "camera-orbit": "0deg 82deg 101%",
  "disable-pan": "",
  exposure: "0.85",
  "field-of-view": "24deg",
  "interaction-prompt": "none",
  "max-camera-orbit": "auto 100deg auto",
  "min-camera-orbit": "auto 30deg auto",
  "shadow-intensity": "1.2",
  "shadow-softness": "0.9",
  "tone-mapping": "neutral",
  "touch-action": "pan-y",
};
const TURN = { "auto-rotate": "", "auto-rotate-delay": "600", "rotation-per-second": "26deg" };

/**
 * Put the model on the plinth once it is loaded; until then, and if it fails, the picture stays.
 * @param {HTMLElement} plinth  its data-model names the file, its data-alt says what it is
 * @param {{viewer: string, light: string}} from  addresses of the viewer's module and of the light
 *   it shows models in (made by tests/studio_light.py)
 * @returns {Promise<Viewer>} resolves when the model is seen
 */
export async function turnable(plinth, { viewer, light }) {
  const there = plinth.querySelector("model-viewer");
  if (there) return /** @type {Viewer} */ (there);
  await bring(viewer);
  const model = /** @type {Viewer} */ (document.createElement("model-viewer"));
  const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const [name, value] of Object.entries({ ...SIGHT, ...(isCalm ? {} : TURN) })) {
    model.setAttribute(name, value);
  }
  model.setAttribute("environment-image", light);
  model.setAttribute("alt", plinth.dataset.alt ?? "");
  // The page has buttons of its own.
  for (const part of ["ar-button", "progress-bar"]) {
    const nothing = document.createElement("span");
    nothing.slot = part;
    model.append(nothing);
  }
  const loaded = new Promise((resolve, reject) => {
    model.addEventListener("load", resolve, { once: true });
    model.addEventListener("error", () => reject(new Error("no model")), { once: true });
  });
  model.setAttribute("src", plinth.dataset.model ?? "");
  plinth.append(model);
  try {
    await loaded;
  } catch (error) {
    model.remove();
    throw error;
  }
  plinth.classList.add("is-solid");
  return model;
}

/**
 * Load the viewer. It unpacks decoders for compressed models as WebAssembly, which the page's policy
 * forbids and our models do not need: that one complaint is expected.
 * @param {string} viewer
 */
export async function bring(viewer) {
  window.addEventListener("unhandledrejection", (event) => {
    if (event.reason instanceof WebAssembly.CompileError) event.preventDefault();
  });
  await import(viewer);
}
