/** Fetching files with progress. */

/** Files of so many bytes come one after the other, so that the page's own files need not wait for all of them. */
const LARGE = 1e6;

/**
 * @typedef {object} Progress
 * @property {number} loaded bytes that came over the network (or from the browser's cache)
 * @property {number} total bytes of all files, as far as known
 * @property {boolean} isDone whether all files are here
 */

/**
 * A file's bytes: unpacked, and as they come over the network to most browsers.
 *
 * @typedef {{whole: number, sent: number}} Size
 */

/** @typedef {{address: string, size?: Size}} File */

/**
 * Fetch files. Those that are gzip files themselves are unpacked: a host of static files may compress none.
 *
 * @param {File[]} files with their sizes, if known
 * @param {(progress: Progress) => void} tell called as bytes come
 * @returns {Promise<Uint8Array>[]} the content of each, in their order; it rejects if the file is unavailable, with a
 *   message that says which and why
 */
export function fetchWithProgress(files, tell) {
  const total = files.reduce((sum, { size }) => sum + (size?.sent ?? 0), 0);
  const progress = { loaded: 0, total, isDone: false };
  let left = files.length;
  let largeOne = Promise.resolve();
  /** @param {File} file */
  const fetched = async ({ address, size }) => {
    const response = await fetch(address, { priority: isLarge(size) ? "low" : "auto" });
    const name = new URL(address, location.href).pathname.split("/").pop();
    if (!response.ok) throw new Error(`${name} cannot be fetched: status ${response.status}`);
    // The browser hands on what it has unpacked; how much of the way that is, the sizes say.
    const onTheWay = Number(response.headers.get("content-length") ?? 0) || size?.sent || 0;
    const share = response.headers.get("content-encoding") && size && onTheWay ? onTheWay / size.whole : 1;
    progress.total += onTheWay - (size?.sent ?? 0);
    const content = await readAll(response.body.getReader(), (bytes) => {
      progress.loaded += bytes * share;
      tell(progress);
    });
    left -= 1;
    progress.isDone = left === 0;
    tell(progress);
    return isGzip(content) ? unpack(content) : content;
  };
  return files.map((file) => {
    if (!isLarge(file.size)) return fetched(file);
    const content = largeOne.then(() => fetched(file));
    largeOne = content.then(
      () => {},
      () => {},
    );
    return content;
  });
}

/** @param {Size | undefined} size */
function isLarge(size) {
  return size?.sent > LARGE;
}

/** Whether a file is a gzip file itself, as those of the static site are, by its address. */
export function isPacked(address) {
  return address.endsWith(".gz");
}

function isGzip(content) {
  return content[0] === 0x1f && content[1] === 0x8b;
}

function unpack(content) {
  return readAll(new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip")).getReader(), () => {});
}

async function readAll(reader, count) {
  const parts = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    count(part.value.length);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
