// The page's side of the service worker that holds the player (screen/worker.js).

const PREFIX = "diorama.shell.";

/** Whether browsers have service workers here: https, or the machine itself. */
function workers() {
  return "serviceWorker" in navigator ? navigator.serviceWorker : null;
}

const AGAIN_MS = 600_000;

/** Lets the worker hold this player, and sees to it that it does. @param {string} address */
export async function keepShell(address) {
  await holdShell(address);
  setInterval(async () => {
    if (!(await isShellKept())) holdShell(address);
  }, AGAIN_MS);
}

/** @param {string} address */
async function holdShell(address) {
  try {
    await workers()?.register(address, { updateViaCache: "none" });
    const ready = await workers()?.ready;
    ready?.active?.postMessage("fill");
  } catch (error) {
    console.warn("the player is not held on this device", error);
  }
}

/** Whether the player starts without a network: not from a disk that gives an error. */
export async function isShellKept() {
  if (!workers()?.controller) return false;
  try {
    return (await caches.match(new URL("./", location.href))) !== undefined;
  } catch {
    return false;
  }
}

/** Deletes the held player. */
export async function wipeShell() {
  if (!("caches" in globalThis)) return;
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  await Promise.all(names.map((name) => caches.delete(name)));
}
