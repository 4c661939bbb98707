import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

import { listening } from './listening.ts';
import type { UnixSocket } from './settings.ts';

/**
 * Binds a unix socket that has its mode from the first moment: between bind and chmod, others could connect. A socket that a killed process left behind is
 * replaced; one that somebody listens on (`EADDRINUSE`), and a file of any other kind (`EEXIST`), never.
 */
export async function bindUnixSocket(server: Server, { path, mode }: UnixSocket): Promise<void> {
  await removeLeftover(path);
  // The umask is the process's, and set only within this turn.
  const before = process.umask(0o777 & ~mode);
  let bound: Promise<void>;
  try {
    bound = listening(server, { path });
  } finally {
    process.umask(before);
  }
  await bound;
}

async function removeLeftover(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw refusal('EEXIST', `${path} is there and no socket; remove it or name another path`);
  if (await hasListener(path)) throw refusal('EADDRINUSE', `another process listens on ${path}`);
  await unlink(path);
}

async function hasListener(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    // Anything else, such as a full backlog or no right to it, is no proof that nobody is there.
    return !(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED');
  } finally {
    socket.destroy();
  }
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
