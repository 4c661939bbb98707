import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

import { artefactUrl, factsUrl, readArtefact, readArtefactFacts } from '../artefact.ts';

import { buildModule, digestOfSources, goMissing, readPinned, sha256 } from './toolchain.ts';

import type { ArtefactFacts } from '../artefact.ts';

/** `npm run rego:build`: makes the committed compiler from the Go sources beside this file. Needs Go. */
const pinned = await readPinned();
const missing = await goMissing(pinned);
if (missing !== undefined)
  throw new Error(`${missing}; install that version, or let go fetch it with GOTOOLCHAIN=auto`);

say(`building OPA ${pinned.opa} with go ${pinned.go} for wasip1/wasm`);
const raw = await buildModule(pinned);
const facts: ArtefactFacts = {
  ...pinned,
  sha256: sha256(raw),
  bytes: raw.length,
  sourcesSha256: await digestOfSources(),
};
say(`${facts.sha256}, ${facts.bytes} bytes`);
if (await isCommitted(facts.sha256)) say('the committed module has the same bytes');
else await compress();
await writeFile(factsUrl, `${JSON.stringify(facts, undefined, 2)}\n`);

async function isCommitted(digest: string): Promise<boolean> {
  const [committed, module] = await Promise.all([readArtefactFacts(), readArtefact()]).catch(() => []);
  return committed?.sha256 === digest && module !== undefined && sha256(module) === digest;
}

async function compress(): Promise<void> {
  say('compressing, which takes over a minute');
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  };
  const compressed = await promisify(brotliCompress)(raw, { params });
  await writeFile(artefactUrl, compressed);
  say(`${compressed.length} bytes compressed`);
}

function say(line: string): void {
  process.stderr.write(`rego:build: ${line}\n`);
}
