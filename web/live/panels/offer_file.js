/** Files that are made in the page and go nowhere but to the visitor's own disk. */

/**
 * Let the visitor save a file.
 *
 * @param {Blob} content
 * @param {string} name suggested for it
 */
export function offerFile(content, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(content), download: name });
  link.click();
  // Not at once: a browser may begin to read only after the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
