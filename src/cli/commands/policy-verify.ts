import { readUpdate } from '../../core/bundle/delta.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { readBounded } from '../../io/sources/read-file.ts';
import { EXIT } from '../exit-codes.ts';
import { readVerification } from '../policy/key-files.ts';
import { printProblems } from '../policy/print-diagnostics.ts';
import { inert } from '../terminal.ts';

import type { PolicyVerifyOptions } from '../define-policy-bundle.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/**
 * `sallyport policy verify`: is the bundle, or delta, one that this key has signed, whatever key it names? Exit 1 if not. A sidecar is stricter where it has
 * several keys (the one that the bundle names counts) and about the mode of a file that holds a secret.
 */
export async function policyVerify(
  bundle: string,
  options: PolicyVerifyOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const verification = await readVerification(options);
  if (!verification.ok) return printProblems([verification.error], json, terminal);
  const archive = await readBounded(bundle, DEFAULT_BUNDLE_LIMITS.archiveBytes);
  if (!archive.ok) return printProblems([archive.error], json, terminal);
  const read = readUpdate(archive.value.bytes, { verification: verification.value });
  if (!read.ok) {
    const { code, detail } = read.error;
    if (json) terminal.out(JSON.stringify({ ok: false, code, detail }));
    else terminal.err(`${inert(bundle)}: ${terminal.style('err', 'red', code)}: ${inert(detail)}`);
    return EXIT.no;
  }
  const { algorithm, scope } = options;
  if (json) terminal.out(JSON.stringify({ ok: true, algorithm, ...(scope === undefined ? {} : { scope }) }));
  else terminal.out(`${inert(bundle)}: ${terminal.style('out', 'green', 'signed by this key')}, ${algorithm}`);
  return EXIT.done;
}
