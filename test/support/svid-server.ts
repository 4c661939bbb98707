import { X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';

import type { Authority, Issued } from './pki.ts';

/** An HTTPS server with an X509-SVID, which wants one of its callers and notes whom it saw. */
export type SvidServer = {
  readonly url: string;
  /** URI SANs and serials of the certificates that requests came with, in their order. */
  readonly callers: { readonly uri: string; readonly serial: string }[];
  /** Connections so far. */
  readonly connections: () => number;
  /** Answers one request; it may wait with that. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  readonly show: (issued: Issued) => void;
};

export async function startSvidServer(context: TestContext, issued: Issued, trusted: Authority): Promise<SvidServer> {
  const callers: { uri: string; serial: string }[] = [];
  let connections = 0;
  const tls = { requestCert: true, rejectUnauthorized: false, ca: trusted.bundlePem, minVersion: 'TLSv1.3' } as const;
  const server: Server = createServer({ ...tls, key: issued.keyPem, cert: issued.chainPem }, (request, response) => {
    const { raw } = (request.socket as TLSSocket).getPeerCertificate();
    const { subjectAltName = '', serialNumber } = new X509Certificate(raw);
    callers.push({ uri: subjectAltName.replace('URI:', ''), serial: serialNumber });
    self.answer(request, response);
  });
  server.on('secureConnection', () => (connections += 1));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const self: SvidServer = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1/policy/agents`,
    callers,
    connections: () => connections,
    answer: (_request, response) => response.end('content'),
    show: ({ keyPem: key, chainPem: cert }) => server.setSecureContext({ ...tls, key, cert }),
  };
  return self;
}
