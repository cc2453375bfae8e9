// Names that a phone gives to itself and to what it sends.

/**
 * A random UUID (version 4). `crypto.randomUUID` exists on https and localhost only; a crowd's
 * phones may be on plain http.
 * @param {Pick<Crypto, "getRandomValues"> & Partial<Pick<Crypto, "randomUUID">>} source
 * @returns {string}
 */
export function randomId(source = crypto) {
  if (source.randomUUID) return source.randomUUID();
  const bytes = source.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/**
 * The id kept under `name`, made on first use. Private windows may refuse to keep it: then it lives
 * as long as the page.
 * @param {() => Storage} open  gives the storage; may throw
 * @param {string} name
 * @param {() => string} make
 * @returns {string}
 */
export function keptId(open, name, make = randomId) {
  try {
    const storage = open();
    const kept = storage.getItem(name) ?? make();
    storage.setItem(name, kept);
    return kept;
  } catch {
    return make();
  }
}
