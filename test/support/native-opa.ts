import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { readArtefactFacts } from '../../src/io/rego/artefact.ts';

const run = promisify(execFile);

/** OPA's native command of the version that our compiler is built from, as an oracle: on the path, or where `go install` puts it. */
export const nativeOpa: string | undefined = await findOpa();

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

/** What the command writes to its output and to its error output, run in `folder`; its exit code does not matter. */
export async function runOpa(folder: string, ...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  try {
    return await run(nativeOpa ?? 'opa', [...args], { cwd: folder, maxBuffer: 64 << 20 });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    if (stdout === undefined || stderr === undefined) throw error;
    return { stdout, stderr };
  }
}
