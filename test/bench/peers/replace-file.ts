import { rename, writeFile } from 'node:fs/promises';

/** Whole or not at all, as an operator's tools do it. */
export async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
