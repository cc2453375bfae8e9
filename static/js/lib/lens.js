// Which camera, and why there is none.

/**
 * Why the live camera stays shut.
 * @param {string} name  of the DOMException that getUserMedia gave
 * @returns {"denied" | "missing" | "busy"}
 */
export function shutBecause(name) {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "missing";
  }
}

/** @typedef {"user" | "environment"} Facing */

/**
 * What to ask of getUserMedia.
 * @param {Facing} facing
 * @returns {MediaStreamConstraints}
 */
export function wish(facing) {
  return {
    audio: false,
    video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1440 } },
  };
}

/** @param {Facing} facing @returns {Facing} */
export function otherSide(facing) {
  return facing === "user" ? "environment" : "user";
}
