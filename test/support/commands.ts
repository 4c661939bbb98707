import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Path of a command on this machine's PATH; undefined where there is none. */
export function commandPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Whether this machine has a command; tests that need a foreign tool are skipped, with their reason, where it has not. */
export function hasCommand(name: string): boolean {
  return commandPath(name) !== undefined;
}

/** Whether a file is there that this user may start. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
