// Copies what the page serves of the packages into vendor/, where the app looks for it here and on a Space alike.
// To be run after `npm ci`, as `make web` does; not by npm itself, which many people forbid to run scripts.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

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

// The largest file of all that a visitor fetches, compressed as far as it goes; that takes half a minute, but only here.
const WASM = new URL("vendor/ort-wasm-simd-threaded.wasm", import.meta.url);
const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
writeFileSync(new URL(`${WASM.href}.br`), brotliCompressSync(readFileSync(WASM), { params }));
