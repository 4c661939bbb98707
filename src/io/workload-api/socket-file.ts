import type { Stats } from 'node:fs';
import { chmod, lstat, mkdir, realpath, stat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';

/** Who may open the socket: nobody but our own user (folder 0700, socket 0600), or our folder's group as well (0750 and 0660). */
export type SocketAccess = 'owner' | 'group';

/** Mode of a folder that is made, bits that a folder which is there must not have, and the mode of the socket. */
const MODES = {
  owner: { folder: 0o700, tooMuch: 0o077, socket: 0o600 },
  group: { folder: 0o750, tooMuch: 0o027, socket: 0o660 },
} as const satisfies Record<SocketAccess, object>;

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Makes way for a unix socket at `path`: its folder is there, is ours, and keeps out whom `access` does not name; nobody can rename a folder above it or turn a
 * symbolic link on the way; a socket that nobody listens on any more is removed. Rejects with what is wrong and what to do (a start-up fault).
 */
export async function prepareSocket(path: string, access: SocketAccess): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: MODES[access].folder });
  await checkFolder(folder, access);
  await removeStale(path);
}

/**
 * Binds the server to the path with the mode of `access` from its first moment: the umask is narrowed while the file is made, which is synchronous. In a
 * worker thread, which has no umask of its own, the folder alone guards until the mode is set.
 */
export async function listenOn(server: Server, path: string, access: SocketAccess): Promise<void> {
  const { socket } = MODES[access];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  const before = narrowUmask(0o777 & ~socket);
  server.listen(path, resolve);
  if (before !== undefined) process.umask(before);
  await promise;
  server.off('error', reject);
  await chmod(path, socket);
}

function narrowUmask(mask: number): number | undefined {
  try {
    return process.umask(mask);
  } catch {
    return undefined;
  }
}

async function checkFolder(folder: string, access: SocketAccess): Promise<void> {
  const real = await realpath(folder);
  const { mode, uid } = await lstat(real);
  if (!isTrusted(uid))
    throw new Error(`${folder} belongs to user ${uid}, who could replace the socket in it: use a folder of our own`);
  if ((mode & MODES[access].tooMuch) !== 0) throw new Error(tooOpen(folder, mode, access));
  for (const above of foldersAbove(real)) {
    if (canRenameIn(await lstat(above)))
      throw new Error(`${above} is writable by others, who could replace ${folder}: use another folder`);
  }
  await checkLinks(folder, real);
}

/** A link on the way leads elsewhere when it is replaced, after all that was found at its end. */
async function checkLinks(folder: string, real: string): Promise<void> {
  for (const part of [folder, ...foldersAbove(folder)]) {
    const found = await lstat(part);
    if (!found.isSymbolicLink()) continue;
    if (!isTrusted(found.uid) || canRenameIn(await stat(dirname(part))))
      throw new Error(`${part} is a symbolic link that others can turn elsewhere: use ${real}`);
  }
}

function foldersAbove(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...foldersAbove(above)];
}

/** Whether others can put something else in the place of what is in a folder. */
function canRenameIn({ mode, uid }: Stats): boolean {
  return !isTrusted(uid) || ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0);
}

/** Our own user, and root, against whom there is no guard. */
function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}

function tooOpen(folder: string, mode: number, access: SocketAccess): string {
  const wanted = MODES[access].folder.toString(8);
  const why = 'whoever can open the socket gets our identities';
  return `${folder} has mode ${(mode & 0o777).toString(8)}, and ${why}: chmod ${wanted} ${folder}`;
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is there and is no socket: remove it, or name another path`);
  const failure = await connectionFailure(path);
  if (failure === undefined)
    throw new Error(`${path}: somebody listens there already: end that process, or name another path`);
  if (failure !== 'ECONNREFUSED')
    throw new Error(`${path} is there and may be in use (${failure}): remove it, or name another path`);
  await unlink(path);
}

/** Why nobody can be reached on a socket; undefined where somebody is. */
function connectionFailure(path: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect(path);
  socket.once('connect', () => resolve(undefined));
  socket.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  return promise.finally(() => socket.destroy());
}
