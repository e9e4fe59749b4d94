// Copies what the page serves of the packages into vendor/, where the app looks for it here and on a Space alike.
// To be run after `npm ci`, as `make web` does; not by npm itself, which many people forbid to run scripts.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";

const SERVED = {
  "ort.wasm.bundle.min.mjs": "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
  "ort-wasm-simd-threaded.wasm": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  "fflate.LICENSE": "fflate/LICENSE",
  "fflate.js": "fflate/esm/browser.js",
};

rmSync(new URL("vendor/", import.meta.url), { recursive: true, force: true });
mkdirSync(new URL("vendor/", import.meta.url), { recursive: true });
for (const [name, path] of Object.entries(SERVED)) {
  copyFileSync(new URL(`node_modules/${path}`, import.meta.url), new URL(`vendor/${name}`, import.meta.url));
}
