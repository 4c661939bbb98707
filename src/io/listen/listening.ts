import type { ListenOptions, Server } from 'node:net';

/** Begins to listen. Rejects with the system's error where that cannot be; what is bound is bound within the call. */
export function listening(server: Server, at: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
