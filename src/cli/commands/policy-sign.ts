import { readBundle } from '../../core/bundle/bundle.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { unpackUnverified } from '../../core/bundle/verified-files.ts';
import { packBundle, signedFiles } from '../../core/bundle/write-bundle.ts';
import { readBounded } from '../../io/sources/read-file.ts';
import { EXIT } from '../exit-codes.ts';
import { readSigningKey, verificationBy } from '../policy/key-files.ts';
import { printProblems } from '../policy/print-diagnostics.ts';
import { writeWhole } from '../policy/write-whole.ts';
import { inert } from '../terminal.ts';

import type { BundleFault } from '../../core/bundle/fault.ts';
import type { PolicySignOptions } from '../define-policy-bundle.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport policy sign`: an older signature is replaced. */
export async function policySign(bundle: string, options: PolicySignOptions, terminal: Terminal): Promise<ExitCode> {
  const json = options.json === true;
  const refused = ({ code, detail }: BundleFault): ExitCode =>
    printProblems([`${bundle}: ${code}: ${detail}`], json, terminal);
  const key = await readSigningKey(options);
  if (!key.ok) return printProblems([key.error], json, terminal);
  const archive = await readBounded(bundle, DEFAULT_BUNDLE_LIMITS.archiveBytes);
  if (!archive.ok) return printProblems([archive.error], json, terminal);
  const files = unpackUnverified(archive.value.bytes);
  if (!files.ok) return refused(files.error);
  const signed = signedFiles(files.value, key.value);
  if (!signed.ok) return refused(signed.error);
  const packed = packBundle(signed.value);
  const read = readBundle(packed, { verification: verificationBy(key.value) });
  if (!read.ok) return refused(read.error);
  const output = options.output ?? bundle;
  await writeWhole(output, packed);
  const facts = { output, algorithm: key.value.algorithm, files: read.value.files.size - 1, bytes: packed.length };
  if (json) terminal.out(JSON.stringify(facts));
  else terminal.out(`${inert(output)}: ${facts.files} files signed, ${facts.algorithm}`);
  return EXIT.done;
}
