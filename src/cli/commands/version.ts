import { readFile } from 'node:fs/promises';

import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport version`. */
export async function version(json: boolean, terminal: Terminal): Promise<ExitCode> {
  const { version: own } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { readonly version: string };
  const facts = { sallyport: own, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  terminal.out(json ? JSON.stringify(facts) : `sallyport ${facts.sallyport} (Node ${facts.node}, ${facts.platform})`);
  return EXIT.done;
}

/** As far from here in the sources as in the built package. */
const MANIFEST = new URL('../../../package.json', import.meta.url);
