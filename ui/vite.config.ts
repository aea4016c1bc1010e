import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };

/** Writes .br and .gz beside every text file of the build, so that the server only copies bytes. */
function compress(): Plugin {
  return {
    name: 'compress',
    apply: 'build',
    closeBundle() {
      for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(file)) continue;
        const bytes = readFileSync(join('dist', file));
        writeFileSync(join('dist', `${file}.br`), brotliCompressSync(bytes, QUALITY));
        writeFileSync(join('dist', `${file}.gz`), gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

/**
 * Writes what the first load of each screen costs, in brotli bytes of script and style, for `tools/budget.mjs`:
 * the entry, the page, and all that either imports.
 */
function firstLoad(): Plugin {
  return {
    name: 'first-load',
    apply: 'build',
    writeBundle(_, bundle) {
      const size = (file: string) => {
        const part = bundle[file];
        return part ? brotliCompressSync(part.type === 'chunk' ? part.code : part.source, QUALITY).length : 0;
      };
      const closure = (file: string, seen: Set<string>) => {
        const chunk = bundle[file];
        if (!chunk || chunk.type !== 'chunk' || seen.has(file)) return seen;
        seen.add(file);
        for (const style of chunk.viteMetadata?.importedCss ?? []) seen.add(style);
        for (const imported of chunk.imports) closure(imported, seen);
        return seen;
      };
      const chunks = Object.values(bundle).filter((part) => part.type === 'chunk');
      const entry = chunks.find((chunk) => chunk.isEntry)?.fileName ?? '';
      const pages = chunks.filter((chunk) => chunk.isDynamicEntry && chunk.facadeModuleId?.includes('/pages/'));
      const sum = (files: Set<string>) => [...files].reduce((total, file) => total + size(file), 0);
      const costs: Record<string, number> = { Login: sum(closure(entry, new Set())) };
      for (const page of pages) costs[basename(page.facadeModuleId ?? '', '.svelte')] = sum(closure(page.fileName, closure(entry, new Set())));
      mkdirSync('node_modules/.cache', { recursive: true });
      writeFileSync('node_modules/.cache/first-load.json', JSON.stringify(costs));
    },
  };
}

export default defineConfig({
  plugins: [svelte(), firstLoad(), compress()],
  build: { target: 'es2022', modulePreload: { polyfill: false } },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8080', ws: true } } },
  test: { include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
