// IndexedDB as promises. Source: Indexed Database API 3.0.

/** A disk that does not answer must not hold up what is drawn. */
const ANSWER_MS = 5000;

/**
 * Opens a database and lets go of it when somebody deletes it. Rejects where there is none, as in
 * a browser whose profile is broken or full.
 * @param {string} name
 * @param {(database: IDBDatabase) => void} make creates its stores
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name, make) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => make(request.result);
  return inTime(
    answered(request).then((database) => {
      database.onversionchange = () => database.close();
      return database;
    }),
  );
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
export function answered(request) {
  return inTime(
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    }),
  );
}

/** Resolves when it is on the disk. @param {IDBTransaction} transaction @returns {Promise<void>} */
export function committed(transaction) {
  return inTime(
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    }),
  );
}

/** @template T @param {Promise<T>} promise @returns {Promise<T>} */
function inTime(promise) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the disk does not answer")), ANSWER_MS);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() =>
    clearTimeout(timer),
  );
}
