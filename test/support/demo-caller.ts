import type { AddressInfo } from 'node:net';

import { createAuthority } from './pki.ts';

import type { CallerIdentity } from '../../src/app/demo-identities.ts';

/** A caller of the demo, and what a server needs that knows it by its certificate. */
export type CallerAndServer = {
  readonly caller: CallerIdentity;
  readonly tls: {
    readonly cert: string;
    readonly key: string;
    readonly ca: string;
    readonly requestCert: true;
    readonly rejectUnauthorized: true;
  };
};

/** Makes both under one authority; the server is `localhost`. */
export function callerAndServer(): CallerAndServer {
  const authority = createAuthority({ trustDomain: 'example.org' });
  const id = 'spiffe://example.org/agents/reader';
  const client = authority.issue({ id });
  const server = authority.issue({ id: 'spiffe://example.org/agents/http', dnsNames: ['localhost'] });
  const ca = authority.bundlePem;
  return {
    caller: { name: 'reader', id, cert: client.chainPem, key: client.keyPem, ca },
    tls: { cert: server.chainPem, key: server.keyPem, ca, requestCert: true, rejectUnauthorized: true },
  };
}

/** The port of a listening server. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
