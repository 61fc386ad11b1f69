/** How the pages are built, served while developing, and tested. */
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** KaTeX ships each font three times. Every browser that runs these pages reads woff2, so the other two stay out. */
function onlyWoff2(): Plugin {
  return {
    name: "only-woff2",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("katex") || !id.endsWith(".css")) return null;
      return { code: code.replace(/,\s*url\([^)]+\.(?:woff|ttf)\)\s*format\("[^"]+"\)/g, ""), map: null };
    },
  };
}

const api = process.env.PODIUM_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [onlyWoff2(), react(), tailwindcss()],
  build: {
    target: ["chrome123", "edge123", "firefox125", "safari17.5"],
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { "/api": api, "/hub": api } },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node", setupFiles: ["src/i18n/setup.ts"] },
});
