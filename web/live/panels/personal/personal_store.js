/** What was learned, on this device and nowhere else: one record in the browser's own database (IndexedDB). */

const DATABASE = "live-emotion-detector";
const STORE = "personal";
const KEY = "learned";

/** @param {object} record of `recordOf` @returns {Promise<void>} @throws {Error} if the browser keeps nothing */
export function keep(record) {
  return within("readwrite", (store) => store.put(record, KEY));
}

/** @returns {Promise<unknown>} what was kept last, for `learnedOf`; undefined if nothing was @throws {Error} as `keep` */
export function kept() {
  return within("readonly", (store) => store.get(KEY));
}

/** @returns {Promise<void>} @throws {Error} as `keep` */
export function drop() {
  return within("readwrite", (store) => store.delete(KEY));
}

async function within(mode, act) {
  const database = await answerOf(opening());
  try {
    const transaction = database.transaction(STORE, mode);
    const answer = await answerOf(act(transaction.objectStore(STORE)));
    if (mode === "readwrite") await finished(transaction);
    return answer;
  } finally {
    database.close();
  }
}

function opening() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return request;
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another page of this site is in the way"));
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
