import { once } from 'node:events';
import { createServer } from 'node:net';
import { platform } from 'node:os';

/** Systems on which the kernel spreads connections over listeners of one port (Node documentation, `net.Server.listen`, `reusePort`). */
const SHARING = new Set<NodeJS.Platform>(['linux', 'freebsd', 'sunos', 'aix']);

/** True where threads can listen on one port. */
export function canSharePorts(): boolean {
  return SHARING.has(platform());
}

/**
 * Proves that nobody listens at an address, by listening there alone for a moment. Rejects with the system's error (`EADDRINUSE`). Who shares a port would not notice that another
 * process of the same user shares it, too, and gets half of what was meant for us.
 */
export async function proveFree(address: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer();
  server.listen({ ...address, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
