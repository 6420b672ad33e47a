import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.LATHE_URL ?? "http://127.0.0.1:4400";

// In development the pages come from Vite and every API path from a running server (or `npm run fake`).
const apiPaths = ["^(/p/[^/]+)?/(api|ajax-api)/", "^(/p/[^/]+)?/serving/", "^(/p/[^/]+)?/(get-artifact|model-versions/get-artifact)"];

export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: "dist",
    assetsDir: "assets",
    manifest: true,
    target: "es2022",
    // The server's policy allows no data: scripts or fonts, and small files compress better inside a chunk anyway.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(apiPaths.map((path) => [path, { target: server, changeOrigin: true, headers: { origin: server } }])),
  },
  test: { include: ["tests/unit/**/*.test.ts"], environment: "node" },
});
