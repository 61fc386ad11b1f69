/** Steps of the build that Vite lacks: fewer font files, hints for the first visit, files compressed once and for all. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

/** KaTeX ships each font three times. Every browser that runs these pages reads woff2, so the other two stay out. */
export function onlyWoff2(): Plugin {
  return {
    name: "only-woff2",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("katex") || !id.endsWith(".css")) return null;
      return { code: code.replace(/,\s*url\([^)]+\.(?:woff|ttf)\)\s*format\("[^"]+"\)/g, ""), map: null };
    },
  };
}

/** What is fetched besides the start: by address of the page, and by language. `first.js` reads it. */
const PAGES: readonly [address: string, modules: readonly string[]][] = [
  ["^/login$", ["pages/LoginPage.tsx"]],
  ["^/invitations/", ["pages/InvitationPage.tsx"]],
  ["^/projects/[^/]+/annotate$", ["pages/AnnotatePage.tsx", "markdown/Body.tsx"]],
  ["^/projects/[^/]+/mine$", ["pages/MyWorkPage.tsx"]],
  ["^/projects/[^/]+/leaderboard$", ["pages/LeaderboardPage.tsx"]],
];

/**
 * Tells the browser at once which further files this visit needs. Otherwise it would learn of the page's own code and
 * of its language only when the start has been fetched and run.
 */
export function hints(): Plugin {
  return {
    name: "hints",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        if (!bundle) return html;
        const chunks = Object.values(bundle).filter((file): file is Rolldown.OutputChunk => file.type === "chunk");
        const byFile = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
        const withImports = (chunk: Rolldown.OutputChunk, found = new Set<string>()): Set<string> => {
          if (found.has(chunk.fileName)) return found;
          found.add(chunk.fileName);
          for (const file of chunk.imports) if (byFile.has(file)) withImports(byFile.get(file)!, found);
          return found;
        };
        const start = chunks.filter((chunk) => chunk.isEntry).reduce((found, chunk) => withImports(chunk, found), new Set<string>());
        const needed = (module: string): string[] => {
          const chunk = chunks.find((one) => one.facadeModuleId?.endsWith(`/src/${module}`));
          if (!chunk) throw new Error(`No file of the build begins with ${module}.`);
          return [...withImports(chunk)].filter((file) => !start.has(file)).map((file) => `/${file}`);
        };
        const tags = chunks.flatMap((chunk) => chunk.facadeModuleId?.match(/\/src\/i18n\/([^/]+)\/index\.ts$/)?.[1] ?? []);
        const found = {
          pages: PAGES.map(([address, modules]) => [address, [...new Set(modules.flatMap(needed))]]),
          languages: Object.fromEntries(tags.map((tag) => [tag, needed(`i18n/${tag}/index.ts`)])),
        };
        const text = JSON.stringify(found).replaceAll("&", "&amp;").replaceAll('"', "&quot;");
        return html.replace('src="/first.js"', (tag) => `${tag} data-hints="${text}"`);
      },
    },
  };
}

/** Beside each file of code its brotli and gzip, so that the server need not compress the same bytes for every visit. */
export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir }) {
      const folder = join(dir!, "assets");
      const files = (await readdir(folder)).filter((name) => /\.(?:js|css|svg)$/.test(name));
      await Promise.all(
        files.map(async (name) => {
          const file = join(folder, name);
          const body = await readFile(file);
          const small = await promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } });
          await writeFile(`${file}.br`, small);
          await writeFile(`${file}.gz`, await promisify(gzip)(body, { level: 9 }));
        }),
      );
    },
  };
}
