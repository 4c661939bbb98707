import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OPA = join(homedir(), 'go/bin/opa');
const isThere = await access(OPA).then(
  () => true,
  () => false,
);

/** Options of a test that asks the real `opa`; it is skipped where there is none. */
export const needsOpa = { skip: isThere ? false : 'this machine has no opa command' };

/** Output of the real `opa`. Rejects where it exits with another code than 0. */
export async function opa(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(OPA, args, { cwd: folder, timeout: 60_000 });
  return stdout;
}

/** What the real `opa` complains of; fails where it does not. */
export async function opaFault(folder: string, ...args: readonly string[]): Promise<string> {
  try {
    await run(OPA, args, { cwd: folder, timeout: 60_000 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    return `${stdout}${stderr}`;
  }
  throw new Error(`opa ${args.join(' ')} did not fail`);
}
