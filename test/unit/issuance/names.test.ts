import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseSpiffeId } from '../../../src/core/identity/spiffe-id.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { issueSvid } from '../../../src/core/issuance/svid.ts';
import { systemRandom } from '../../support/system-clock.ts';
import { deps, ID, MINUTE, request, rootSigner } from './making.ts';

import type { SvidRequest } from '../../../src/core/issuance/svid.ts';

const signer = await rootSigner();
const asked = await request();

async function issue(wanted: Partial<SvidRequest>): Promise<X509Certificate | string> {
  const serial = newSerial(systemRandom);
  const issued = await issueSvid(signer, { request: asked, spiffeId: ID, ttlMs: MINUTE, serial, ...wanted }, deps);
  return issued.ok ? new X509Certificate(issued.value.chain[0] ?? new Uint8Array()) : issued.error.detail;
}

for (const address of [
  '',
  'localhost',
  '1.2.3',
  '1.2.3.4.5',
  '256.0.0.1',
  '01.2.3.4',
  '::1%eth0',
  '::1%1',
  '1:2',
  ':::',
  '[::1]',
  '::1 ',
  '::g',
]) {
  test(`RFC 5280 4.2.1.6: ${JSON.stringify(address)} is no IP address and is refused`, async () => {
    assert.equal(await issue({ ipAddresses: [address] }), `${JSON.stringify(address)} is no IP address`);
  });
}

for (const [address, host] of Object.entries({
  '127.0.0.1': '127.0.0.1',
  '::1': '::1',
  '2001:db8::a:1': '2001:db8::a:1',
  '::ffff:1.2.3.4': '::ffff:1.2.3.4',
})) {
  test(`${address} is written so that a TLS client finds it`, async () => {
    const certificate = await issue({ ipAddresses: [address] });
    assert.ok(typeof certificate !== 'string', String(certificate));
    assert.ok(certificate.checkIP(host) !== undefined);
  });
}

for (const name of ['', 'a b', 'a\nb', 'ünicode.example', 'a\0.example']) {
  test(`RFC 5280 4.2.1.6: the DNS name ${JSON.stringify(name)} is refused`, async () => {
    assert.equal(typeof (await issue({ dnsNames: [name] })), 'string');
  });
}

test('a DNS name is written so that a TLS client finds it, and no other', async () => {
  const certificate = await issue({ dnsNames: ['agent.internal', 'localhost'] });
  assert.ok(typeof certificate !== 'string');
  assert.deepEqual(
    [certificate.checkHost('localhost'), certificate.checkHost('agent.internal')],
    ['localhost', 'agent.internal'],
  );
  assert.equal(certificate.checkHost('other.internal'), undefined);
});

const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/);
const near = fc.string({ unit: fc.constantFrom('a', '/', '.', '%', '-', ' ', 'é', '?', '#', '@', ':'), maxLength: 12 });

test('property: what is issued says exactly the ID that was asked for; anything that is no SPIFFE ID with a path is refused', async () => {
  const path = fc.oneof(
    fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    near,
  );
  await fc.assert(
    fc.asyncProperty(path, async (text) => {
      const id = `spiffe://example.org/${text}`;
      const parsed = parseSpiffeId(id);
      const certificate = await issue({ spiffeId: id });
      const isWorkload = parsed.ok && parsed.value.trustDomain === signer.trustDomain && parsed.value.path !== '';
      assert.equal(typeof certificate !== 'string', isWorkload, id);
      if (typeof certificate !== 'string') assert.equal(certificate.subjectAltName, `URI:${id}`);
    }),
    { numRuns: 60 },
  );
});
