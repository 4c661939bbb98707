import { chmod } from 'node:fs/promises';
import { join } from 'node:path';

import { writeFiles } from './temp-folder.ts';

/** Writes a program in JavaScript (CommonJS) that is run as if it were a command, by this Node whatever its PATH. Gives its path. */
export async function writeProgram(folder: string, name: string, source: string): Promise<string> {
  const path = join(folder, name);
  await writeFiles(folder, {
    [`${name}.cjs`]: source,
    [name]: `#!/bin/sh\nexec '${process.execPath}' '${path}.cjs' "$@"\n`,
  });
  await chmod(path, 0o755);
  return path;
}
