import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { ok } from '../../core/kernel/result.ts';
import { fingerprint } from '../../io/sources/fingerprint.ts';
import { createSource } from '../../io/sources/follower.ts';
import { listPolicyFolder } from '../../io/sources/policy-folder.ts';
import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** Runs `once` now and whenever something under `paths` changes, until the process is interrupted (SIGINT, SIGTERM). */
export async function watchSources(
  paths: readonly string[],
  once: () => Promise<ExitCode>,
  terminal: Terminal,
): Promise<ExitCode> {
  let folders: readonly string[] = [];
  const print = async (): Promise<string> => {
    const found = await Promise.all(paths.map(filesAndFolders));
    folders = found.flatMap((one) => one.folders);
    return fingerprint(found.flatMap((one) => one.files));
  };
  const source = createSource<string, ExitCode>({
    fingerprint: print,
    folders: () => folders,
    read: async () => ok(await print()),
    digest: (content) => content,
    apply: async () => {
      const code = await once();
      terminal.err(terminal.style('err', 'dim', `waiting for changes of ${paths.join(', ')} (Ctrl-C ends)`));
      return ok(code);
    },
  });
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  const keepAlive = setInterval(() => undefined, 60_000);
  process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  await source.start();
  await interrupted;
  source.stop();
  clearInterval(keepAlive);
  return source.current ?? EXIT.outside;
}

async function filesAndFolders(path: string): Promise<{ files: readonly string[]; folders: readonly string[] }> {
  const isFolder = await stat(path)
    .then((found) => found.isDirectory())
    .catch(() => false);
  const listed = isFolder ? await listPolicyFolder(path) : undefined;
  if (listed === undefined || !listed.ok) return { files: [path], folders: [dirname(path)] };
  return { files: listed.value.files.map((file) => join(path, file)), folders: listed.value.folders };
}
