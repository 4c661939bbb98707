import { readFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';

/** What every baseline is started with: `node target.ts FOLDER UPSTREAM_PORT`. The folder holds `agent.pem`, `agent.key`, `ca.pem`. */
export function settings(): {
  readonly upstream: number;
  readonly tls: {
    readonly cert: Buffer;
    readonly key: Buffer;
    readonly ca: Buffer;
    readonly requestCert: true;
    readonly minVersion: 'TLSv1.3';
  };
} {
  const [folder = '.', upstream = '0'] = process.argv.slice(2);
  const read = (name: string): Buffer => readFileSync(`${folder}/${name}`);
  const tls = {
    cert: read('agent.pem'),
    key: read('agent.key'),
    ca: read('ca.pem'),
    requestCert: true,
    minVersion: 'TLSv1.3',
  } as const;
  return { upstream: Number(upstream), tls };
}

/** Listens on loopback and prints the port. */
export function announce(server: Server): void {
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));
  process.on('SIGTERM', () => process.exit(0));
}
