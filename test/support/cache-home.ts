import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where this user's programs keep what can be made again (XDG Base Directory Specification; `Library/Caches` on macOS). */
export function cacheHome(): string {
  const told = process.env['XDG_CACHE_HOME'];
  if (told !== undefined && told !== '') return told;
  return process.platform === 'darwin' ? join(homedir(), 'Library/Caches') : join(homedir(), '.cache');
}
