// Writes a .br and a .gz beside every built text file: the server sends them as they are and never compresses at run time.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const compressible = /\.(js|css|html|svg|json)$/;
const tooSmallBytes = 512;

for (const name of await readdir(dist, { recursive: true })) {
  if (!compressible.test(name)) continue;
  const path = join(dist, name);
  const plain = await readFile(path);
  if (plain.length < tooSmallBytes) continue;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  await writeFile(`${path}.br`, brotliCompressSync(plain, quality));
  await writeFile(`${path}.gz`, gzipSync(plain, { level: 9 }));
}
