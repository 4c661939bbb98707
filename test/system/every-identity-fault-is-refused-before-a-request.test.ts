import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { FaultCode } from '../../src/core/model/faults.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import * as certificates from '../support/pki-certificate.ts';
import { createAuthority, type Authority, type Issued, type LeafOptions } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { ALLOW_ALL, CALLER_ID, clientTls, startSystem } from '../support/system.ts';

const { extension, generalName, OID } = certificates;
const HOUR = 3_600_000;
const REQUEST = 'GET /reached HTTP/1.1\r\nHost: agent.test\r\n\r\n';

type Wrong = readonly [title: string, code: FaultCode, peer: (authority: Authority) => Issued | undefined];

/** A leaf that is right but for `options`. */
const leaf =
  (options: LeafOptions) =>
  (authority: Authority): Issued =>
    authority.issue({ id: CALLER_ID, ...options });

/** The chains that Node calls authorized, then those that it does not. */
const WRONG: readonly Wrong[] = [
  ['X509-SVID 2: two URI SANs', 'peer_id_ambiguous', leaf({ uris: [CALLER_ID, 'spiffe://example.org/admin'] })],
  ['X509-SVID 2: no URI SAN', 'peer_id_missing', leaf({ uris: [], dnsNames: ['caller.example.org'] })],
  ['SPIFFE-ID 2.1: another scheme', 'peer_id_malformed', leaf({ id: 'https://example.org/caller' })],
  ['SPIFFE-ID 2.1: an upper-case trust domain', 'peer_id_malformed', leaf({ id: 'spiffe://Example.org/caller' })],
  ['SPIFFE-ID 2.2: a percent-encoded path', 'peer_id_malformed', leaf({ id: 'spiffe://example.org/call%65r' })],
  ['SPIFFE-ID 2.2: a dot segment', 'peer_id_malformed', leaf({ id: 'spiffe://example.org/a/../caller' })],
  ['SPIFFE-ID 2.2: a trailing slash', 'peer_id_malformed', leaf({ id: 'spiffe://example.org/caller/' })],
  ['SPIFFE-ID 2: a query', 'peer_id_malformed', leaf({ id: 'spiffe://example.org/caller?admin' })],
  ['X509-SVID 3.1: the ID of a trust domain', 'peer_id_without_path', leaf({ id: 'spiffe://example.org' })],
  ['X509-SVID 4.1: a leaf that is a CA', 'peer_leaf_is_ca', leaf({ cA: true, subject: 'ca' })],
  ['X509-SVID 4.3: no key usage', 'peer_key_usage_missing', leaf({ keyUsage: null })],
  ['X509-SVID 4.3: key usage that is not critical', 'peer_key_usage_missing', leaf({ keyUsageCritical: false })],
  [
    'X509-SVID 4.3: a leaf that may sign certificates',
    'peer_key_usage_invalid',
    leaf({ keyUsage: ['digitalSignature', 'keyCertSign'] }),
  ],
  [
    'X509-SVID 4.3: a leaf that may sign lists',
    'peer_key_usage_invalid',
    leaf({ keyUsage: ['digitalSignature', 'cRLSign'] }),
  ],
  ['X509-SVID 4.4: clientAuth alone', 'peer_extended_key_usage_invalid', leaf({ extendedKeyUsage: [OID.clientAuth] })],
  ['X509-SVID 4.4: serverAuth alone', 'peer_extended_key_usage_invalid', leaf({ extendedKeyUsage: [OID.serverAuth] })],
  [
    'RFC 5280 4.2.1.6: no subject and a SAN that is not critical',
    'peer_san_not_critical',
    leaf({ sanCritical: false }),
  ],
  [
    'RFC 5280 4.2: an unknown critical extension',
    'peer_critical_extension_unknown',
    leaf({ extensions: [{ oid: '1.3.6.1.4.1.99999.1', critical: true, value: Buffer.from([5, 0]) }] }),
  ],
  ['SPIFFE trust domains: no bundle for it', 'peer_trust_domain_unknown', leaf({ id: 'spiffe://unknown.org/caller' })],
  ['SPIFFE trust domains: never pooled', 'peer_chain_untrusted', leaf({ id: 'spiffe://partner.org/caller' })],
  [
    'X509-SVID 4.1: a signer whose ID has a path',
    'peer_issuer_id_invalid',
    (authority) => authority.intermediate({ uris: ['spiffe://example.org/signer'] }).issue({ id: CALLER_ID }),
  ],
  [
    'X509-SVID 2: a signer of another trust domain',
    'peer_issuer_id_invalid',
    (authority) => authority.intermediate({ uris: ['spiffe://partner.org'] }).issue({ id: CALLER_ID }),
  ],
  [
    'RFC 5280 4.2.1.10: an ID outside the name constraints',
    'peer_name_constraint_violated',
    (authority) => {
      const constraint = extension.nameConstraints([generalName.uri('.elsewhere.org')], []);
      return authority.intermediate({ uris: [], extensions: [constraint] }).issue({ id: CALLER_ID });
    },
  ],
  [
    'RFC 5280 4.2.1.9: a longer path than allowed',
    'peer_path_length_exceeded',
    (authority) =>
      authority.intermediate({ pathLength: 0 }).intermediate({ subject: 'Second' }).issue({ id: CALLER_ID }),
  ],
  [
    'RFC 5280 4.2.1.9: a signer that is no CA',
    'peer_issuer_not_ca',
    (authority) => authority.intermediate({ cA: false }).issue({ id: CALLER_ID }),
  ],
  ['RFC 5280 4.1.2.5: expired', 'peer_certificate_expired', leaf({ notAfter: new Date(Date.now() - HOUR / 2) })],
  [
    'RFC 5280 4.1.2.5: not yet valid',
    'peer_certificate_not_yet_valid',
    leaf({ notBefore: new Date(Date.now() + HOUR), notAfter: new Date(Date.now() + 2 * HOUR) }),
  ],
  ['RFC 5280 6.1: a broken signature', 'peer_signature_invalid', leaf({ breakSignature: true })],
  [
    'RFC 5280 6.1: of another authority of the same name',
    'peer_chain_untrusted',
    () => createAuthority().issue({ id: CALLER_ID }),
  ],
  ['RFC 5280 6.3: revoked', 'peer_certificate_revoked', leaf({ serial: 0x5eedn })],
  ['design 6: no certificate', 'peer_certificate_missing', () => undefined],
];

test(
  'a peer whose certificate is wrong is closed before a byte of its request is read',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const authority = createAuthority();
    const system = await startSystem(context, {
      authority,
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      identity: {
        trustBundles: { 'example.org': 'trust.pem', 'partner.org': 'partner.pem' },
        revocationLists: ['revoked.pem'],
      },
      files: {
        'partner.pem': createAuthority({ trustDomain: 'partner.org' }).bundlePem,
        'revoked.pem': authority.crl({ revoked: [0x5eedn] }).pem,
      },
    });
    const { sidecar } = system;
    const bystander = await connectRaw({ port: sidecar.port, tls: system.tls() });
    context.after(() => bystander.close());

    for (const [title, code, peerOf] of WRONG) {
      await context.test(`${title}: ${code}`, { timeout: 10_000 }, async () => {
        const before = sidecar.records().length;
        const tls = clientTls(authority, peerOf(authority), 'http/1.1');
        const peer = await connectRaw({ port: sidecar.port, tls });
        peer.send(REQUEST);
        await peer.ended;
        assert.equal(peer.received, '', 'it is told nothing');

        const [record, ...more] = await sidecar.recordsFrom(before, 1);
        assert.equal(record?.sallyport.fault, code, record?.sallyport.detail ?? 'no record');
        assert.equal(record.sallyport.verdict, 'deny');
        assert.deepEqual([record.sallyport.outcome.kind, record.sallyport.outcome.status], ['refused', 0]);
        assert.equal(record.input, undefined, 'no policy saw it');
        assert.deepEqual(more, []);
      });
    }

    bystander.send(REQUEST);
    assert.equal((await bystander.response()).status, 200);
    const below = authority.intermediate().intermediate({ subject: 'Second' }).issue({ id: CALLER_ID });
    const right = await connectRaw({ port: sidecar.port, tls: clientTls(authority, below, 'http/1.1') });
    context.after(() => right.close());
    right.send(REQUEST);
    assert.equal((await right.response()).status, 200, 'a right chain with intermediates passes');
    assert.equal(
      (await sidecar.recordsFrom(WRONG.length, 2)).length,
      2,
      'one record for each of them and for these two',
    );
    assert.equal(upstream.received.length, 2, 'only these two reached the agent');
    const refused = await sidecar.metric(
      'sallyport_connections_refused_total{direction="inbound",fault="peer_id_ambiguous"}',
    );
    assert.equal(refused, 1);
  },
);
