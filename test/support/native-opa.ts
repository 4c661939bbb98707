import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { readArtefactFacts } from '../../src/io/rego/artefact.ts';

const run = promisify(execFile);
const MAX_OUTPUT = 256 << 20;

/** OPA's native command of the version that our compiler is built from, as an oracle: on the path, or where `go install` puts it. */
export const nativeOpa: string | undefined = await findOpa();

/** The command for tests that spawn it; they are skipped where there is none. */
export const OPA = nativeOpa ?? 'opa';

/** For tests that need it: why they are skipped without. */
export const needsNativeOpa = {
  skip: nativeOpa === undefined ? 'the native opa command of the compiler’s version is not here' : false,
} as const;

async function findOpa(): Promise<string | undefined> {
  const { opa: version } = await readArtefactFacts();
  for (const command of ['opa', join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin/opa')]) {
    const answer = await run(command, ['version']).catch(() => undefined);
    if (answer?.stdout.includes(`Version: ${version}\n`)) return command;
  }
  return undefined;
}

/** Output of the command, run in `folder`. Rejects where it exits with another code than 0. */
export async function opa(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(OPA, [...args], { cwd: folder, timeout: 60_000, maxBuffer: MAX_OUTPUT });
  return stdout;
}

/** What the command complains of; fails where it does not. */
export async function opaFault(folder: string, ...args: readonly string[]): Promise<string> {
  try {
    await opa(folder, ...args);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    return `${stdout}${stderr}`;
  }
  throw new Error(`opa ${args.join(' ')} did not fail`);
}

/** What the command writes to its output and to its error output, run in `folder`; its exit code does not matter. */
export async function runOpa(folder: string, ...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  try {
    return await run(OPA, [...args], { cwd: folder, maxBuffer: MAX_OUTPUT });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    if (stdout === undefined || stderr === undefined) throw error;
    return { stdout, stderr };
  }
}
