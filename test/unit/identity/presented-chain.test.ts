import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TlsOptions } from 'node:tls';

import { readPresentedChain, type HandshakeFacts } from '../../../src/core/identity/presented-chain.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { Fault } from '../../../src/core/model/faults.ts';
import type { PresentedChain } from '../../../src/core/identity/presented-chain.ts';
import { createAuthority, type Issued } from '../../support/pki.ts';

const authority = createAuthority();

/** What a client reads of a server with this identity. */
async function presentedBy(
  identity: Issued,
  ca: string,
  more: TlsOptions = {},
): Promise<Result<PresentedChain, Fault>> {
  const server = createServer({ cert: identity.chainPem, key: identity.keyPem, ...more }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({
    port,
    host: '127.0.0.1',
    ca,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  await once(client, 'secureConnect');
  const presented = readPresentedChain(client);
  client.destroy();
  server.close();
  return presented;
}

function hex(chain: readonly Uint8Array[]): readonly string[] {
  return chain.map((der) => Buffer.from(der).toString('hex'));
}

test('a server under a root: its leaf alone, authorized', async () => {
  const identity = authority.issue();
  const presented = await presentedBy(identity, authority.bundlePem);
  assert.ok(presented.ok);
  assert.deepEqual(hex(presented.value.chain), hex([identity.der]));
  assert.deepEqual([presented.value.authorized, presented.value.authorizationError], [true, undefined]);
});

test('a server under an intermediate: leaf and intermediate, without the root', async () => {
  const identity = authority.intermediate().issue();
  const presented = await presentedBy(identity, authority.bundlePem);
  assert.ok(presented.ok && presented.value.authorized);
  assert.deepEqual(hex(presented.value.chain), hex(identity.chain));
});

test('a server of another authority: its chain, and why OpenSSL did not accept it', async () => {
  const identity = createAuthority().issue();
  const presented = await presentedBy(identity, authority.bundlePem);
  assert.ok(presented.ok);
  assert.deepEqual(hex(presented.value.chain), hex([identity.der]));
  assert.equal(presented.value.authorized, false);
  assert.match(presented.value.authorizationError ?? '', /UNABLE_TO_|SELF_SIGNED/);
});

test('a certificate that signs itself is read once', async () => {
  const { certificate } = createAuthority();
  const presented = await presentedBy({ ...certificate, chainPem: certificate.certPem }, authority.bundlePem);
  assert.ok(presented.ok);
  assert.deepEqual(hex(presented.value.chain), hex([certificate.der]));
});

test('none shown: an empty chain', () => {
  const none: HandshakeFacts = {
    authorized: false,
    authorizationError: new Error('nothing was shown'),
    getPeerX509Certificate: () => undefined,
  };
  const presented = readPresentedChain(none);
  assert.deepEqual(presented.ok && presented.value, {
    chain: [],
    authorized: false,
    authorizationError: 'nothing was shown',
  });
});

test('what Node cannot represent is a malformed certificate, not an exception', () => {
  const unreadable: HandshakeFacts = {
    authorized: true,
    authorizationError: undefined,
    getPeerX509Certificate: () => {
      throw new Error('unsupported');
    },
  };
  const presented = readPresentedChain(unreadable);
  assert.ok(!presented.ok);
  assert.deepEqual([presented.error.code, presented.error.detail], ['peer_certificate_malformed', 'unsupported']);
});

test('at most sixteen certificates are read', () => {
  const real = new X509Certificate(authority.certificate.der);
  let read = 0;
  const endless = (): X509Certificate => {
    read += 1;
    const raw = Buffer.from([read]);
    return Object.create(real, { raw: { value: raw }, issuerCertificate: { get: endless } }) as X509Certificate;
  };
  const presented = readPresentedChain({
    authorized: false,
    authorizationError: 'SELF_SIGNED_CERT_IN_CHAIN',
    getPeerX509Certificate: endless,
  });
  assert.equal(presented.ok && presented.value.chain.length, 16);
});
