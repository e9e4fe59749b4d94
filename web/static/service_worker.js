// Keeps all files of the site on the device, so that it opens without a network. A new version is fetched in whole, and
// used once no page of the old one is open.
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
// Other sites may share this origin, and with it its caches.
const OURS = `expressions ${worker.registration.scope} `;
const CACHE = `${OURS}${"%VERSION%"}`;
const FILES = ["%FILES%"];

worker.addEventListener("install", (event) => {
  // Asks the host: the browser may still hold the index of an old version, whose modules are gone.
  const wanted = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(wanted)));
});

worker.addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith(OURS) && name !== CACHE;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

worker.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== location.origin) return;
  // The page itself may be asked for with ?lang=; an open page finds its own version's files, or the network has them.
  const kept = caches.match(event.request, { ignoreSearch: event.request.mode === "navigate" });
  event.respondWith(kept.then((response) => response ?? fetch(event.request)));
});
