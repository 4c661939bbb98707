import { EXIT } from '../exit-codes.ts';
import { ownVersion } from '../../app/own-version.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport version`. */
export async function version(json: boolean, terminal: Terminal): Promise<ExitCode> {
  const facts = {
    sallyport: ownVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  terminal.out(json ? JSON.stringify(facts) : `sallyport ${facts.sallyport} (Node ${facts.node}, ${facts.platform})`);
  return EXIT.done;
}
