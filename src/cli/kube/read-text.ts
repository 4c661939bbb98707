import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { MAX_MANIFESTS } from '../../app/kube/manifests.ts';
import { readBounded } from '../../io/sources/read-file.ts';

import type { Result } from '../../core/kernel/result.ts';

/** The text of a file, or of stdin for `-`. The error begins with its name. */
export async function readText(file: string): Promise<Result<string, string>> {
  if (file !== '-') {
    const read = await readBounded(file, MAX_MANIFESTS);
    return read.ok ? ok(Buffer.from(read.value.bytes).toString('utf8')) : read;
  }
  const bytes = await gatherBytes(process.stdin, MAX_MANIFESTS);
  return bytes === undefined
    ? err(`-: is larger than ${MAX_MANIFESTS} bytes`)
    : ok(Buffer.from(bytes).toString('utf8'));
}
