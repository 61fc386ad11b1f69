/** How the pages are built, served while developing, and tested. */
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compressed, hints, onlyWoff2 } from "./build";

const api = process.env.PODIUM_URL ?? "http://127.0.0.1:8000";

/** What every visit needs is one file of strangers' code and one of ours, not twenty of a few hundred bytes. */
const EVERYWHERE = /\/node_modules\/(?:react|react-dom|scheduler|@tanstack|use-sync-external-store|i18next|react-i18next|html-parse-stringify|openapi-fetch|@babel)\//;
const OURS = /\/src\/(?:api\/(?:client|queries)|i18n\/(?:index|choose)|(?:main|router|format|preferences)|annotate\/(?:desks|keys|outbox|session)|components\/(?:announcer|Button|Copy|Dialog|Field|Icon|Layout|LanguageChoice|LinkCard|Markdown|Page|Status|Time|useAction)|markdown\/source|pages\/(?:CrashPage|NotFoundPage))\.tsx?$/;

export default defineConfig({
  plugins: [onlyWoff2(), react(), tailwindcss(), hints(), compressed()],
  build: {
    target: ["chrome123", "edge123", "firefox125", "safari17.5"],
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      output: {
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            { name: "libraries", test: EVERYWHERE },
            { name: "start", test: OURS },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": api, "/hub": api } },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node", setupFiles: ["src/i18n/setup.ts"] },
});
