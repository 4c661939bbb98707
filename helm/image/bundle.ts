import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { build, type Plugin } from 'esbuild';

/** What is started by its path: the command, and the scripts of threads and processes. */
export const ENTRIES = ['cli/main.js', 'app/worker.js', 'io/rego/worker.js', 'io/rego/process.js'] as const;
/** What the entries share. */
const PARTS = 'parts';
/** CommonJS packages ask for built-in modules by a function that ECMAScript modules do not have. */
const REQUIRE = `import { createRequire as sallyportRequire } from 'node:module'; const require = sallyportRequire(import.meta.url);`;

/** Where undici defines what we use of it: its main file loads `fetch`, WebSocket, caches and more, 6 MiB and 60 ms of CPU. */
const UNDICI: Readonly<Record<string, string>> = {
  Agent: 'agent.js',
  Client: 'client.js',
  Pool: 'pool.js',
};

/** Its main file gives dispatchers `request`, too, which they do not have of themselves. */
const UNDICI_MORE: readonly string[] = [
  `export { default as buildConnector } from './core/connect.js';`,
  `import Dispatcher from './dispatcher/dispatcher.js';`,
  `import request from './api/api-request.js';`,
  `Dispatcher.prototype.request = request;`,
];

/**
 * Joins the compiled product in the folder `compiled` and its packages into a few files below `out`, the entries at the paths they had. Node finds, reads and links one
 * file instead of a thousand, and what nobody calls is left out: half the CPU of a start and a quarter of the memory at rest (docs/benchmarks/footprint.md). Names
 * stay as they are, and lines are short, so that a stack trace can be read.
 */
export async function bundleProduct(root: string, compiled: string, out: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ENTRIES.map((path) => join(compiled, path)),
    outbase: compiled,
    outdir: out,
    bundle: true,
    splitting: true,
    chunkNames: `${PARTS}/[name]-[hash]`,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    banner: { js: REQUIRE },
    // The demo is played in a clone, by tools of development; it says so elsewhere.
    external: ['./demo-play.js'],
    nodePaths: [join(root, 'node_modules')],
    // Comments are left out: one character beyond Latin-1 in one of them doubles the memory of the whole text. Licences stand beside the packages' manifests.
    legalComments: 'none',
    minifyWhitespace: true,
    lineLimit: 160,
    logLevel: 'warning',
    plugins: [ownPlaces(compiled), plainHttp(), slimUndici(root), oneLanguage()],
  });
}

/** A module that asks where it stands is told where it stood: what it names lies there still. */
function ownPlaces(compiled: string): Plugin {
  return {
    name: 'own-places',
    setup: (into) => {
      into.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const place = relative(compiled, path);
        if (place.startsWith('..')) return undefined;
        const here = `import.meta.url.replace(/^(.*\\/dist\\/).*$/, ${JSON.stringify(`$1${place}`)})`;
        return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', here) };
      });
    },
  };
}

/**
 * `import … from 'node:http'` reads every export once, also `WebSocket` and its like, whose getters load the undici that is built into Node: 7 MiB and 40 ms. Here imports
 * get the plain values alone.
 */
function plainHttp(): Plugin {
  return {
    name: 'plain-http',
    setup: (into) => {
      into.onResolve({ filter: /^(?:node:)?http$/ }, ({ kind }) =>
        kind === 'import-statement' ? { path: 'http', namespace: 'plain-http' } : undefined,
      );
      into.onLoad({ filter: /^/, namespace: 'plain-http' }, () => {
        const http = Object.getOwnPropertyDescriptors(process.getBuiltinModule('node:http'));
        const names = Object.entries(http).flatMap(([name, { value }]) => (value === undefined ? [] : [name]));
        const contents = `const http = process.getBuiltinModule('node:http');\nexport default http;\nexport const { ${names.join(', ')} } = http;\n`;
        return { contents };
      });
    },
  };
}

/** A name that is not in the table ends the build. */
function slimUndici(root: string): Plugin {
  const library = join(root, 'node_modules/undici/lib');
  return {
    name: 'slim-undici',
    setup: (into) => {
      into.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'slim-undici' }));
      into.onLoad({ filter: /^/, namespace: 'slim-undici' }, () => {
        const parts = Object.entries(UNDICI).map(
          ([name, file]) => `export { default as ${name} } from './dispatcher/${file}';`,
        );
        return { contents: [...parts, ...UNDICI_MORE].join('\n'), resolveDir: library };
      });
    },
  };
}

/** Mistakes are told in English: zod's words in fifty other languages are left out. */
function oneLanguage(): Plugin {
  return {
    name: 'one-language',
    setup: (into) => {
      into.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
        contents: `export { default as en } from './en.js';`,
        resolveDir: dirname(path),
      }));
    },
  };
}
