import { copyFile, mkdir } from 'node:fs/promises';
import { basename } from 'node:path';

import { artefactUrl, factsUrl } from '../artefact.ts';

/** Part of `npm run build`: puts the compiler beside the compiled code, where `artefact.js` looks for it. */
const target = new URL('../../../../dist/io/rego/', import.meta.url);
await mkdir(target, { recursive: true });
for (const source of [artefactUrl, factsUrl]) {
  await copyFile(source, new URL(basename(source.pathname), target));
}
