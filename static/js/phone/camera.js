// The live camera in the viewfinder.

import { otherSide, shutBecause, wish } from "../lib/lens.js";
import { meanLuma } from "../lib/photo.js";

/** Below this mean brightness of the oval's middle, ask for light. The gate refuses far later. */
const DIM_LUMA = 0.2;
const LIGHT_EVERY_MS = 700;
const PROBE_PX = 24;

export class Camera {
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {import("../lib/lens.js").Facing} */
  #facing = "user";
  #watch = 0;
  #asked = 0;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
  }

  static get isAllowed() {
    return Boolean(window.isSecureContext && navigator.mediaDevices?.getUserMedia);
  }

  get isOn() {
    return this.#stream !== null;
  }

  /**
   * Open it. Gives null when all is well, else why not.
   * @returns {Promise<null | "insecure" | "denied" | "missing" | "busy">}
   */
  async open() {
    this.close();
    if (!Camera.isAllowed) return "insecure";
    const asked = (this.#asked += 1);
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wish(this.#facing));
      if (asked !== this.#asked) {
        stream.getTracks().forEach((track) => track.stop());
        return null;
      }
      this.#stream = stream;
      this.video.srcObject = stream;
      this.video.classList.toggle("is-mirrored", this.#facing === "user");
      await this.video.play();
      return null;
    } catch (problem) {
      if (asked !== this.#asked) return null;
      this.close();
      return shutBecause(/** @type {DOMException} */ (problem).name);
    }
  }

  flip() {
    this.#facing = otherSide(this.#facing);
    return this.open();
  }

  async canFlip() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "videoinput").length > 1;
  }

  /** @param {(isDim: boolean) => void} onLight  called now and then while the camera is on */
  watchLight(onLight) {
    clearInterval(this.#watch);
    const probe = document.createElement("canvas");
    probe.width = probe.height = PROBE_PX;
    const brush = probe.getContext("2d", { willReadFrequently: true });
    if (!brush) return;
    this.#watch = window.setInterval(() => {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (!width) return;
      const side = Math.min(width, height) / 2;
      brush.drawImage(
        this.video,
        (width - side) / 2,
        (height - side) / 2.4,
        side,
        side,
        0,
        0,
        PROBE_PX,
        PROBE_PX,
      );
      onLight(meanLuma(brush.getImageData(0, 0, PROBE_PX, PROBE_PX).data) < DIM_LUMA);
    }, LIGHT_EVERY_MS);
  }

  close() {
    this.#asked += 1;
    clearInterval(this.#watch);
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
  }
}
