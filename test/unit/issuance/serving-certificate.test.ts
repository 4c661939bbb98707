import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { describe, test } from 'node:test';

import { createServingAuthority, issueServingCertificate } from '../../../src/core/issuance/serving-certificate.ts';
import { createRandom } from '../../../src/app/system.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';

import type { KeyedCertificate } from '../../../src/core/issuance/serving-certificate.ts';
import type { Result } from '../../../src/core/kernel/result.ts';

const NAMES = { dnsNames: ['injector.sallyport-system.svc', 'injector.sallyport-system.svc.cluster.local'] } as const;
const DAY = 86_400_000;

function must<T>(result: Result<T, string>): T {
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
}

function end({ certificate }: KeyedCertificate): string {
  return new X509Certificate(certificate).validTo;
}

describe('serving certificates', () => {
  test('an authority that may sign leaves only, of a trust domain of its own', async () => {
    const clock = createDrivenClock();
    const made = must(await createServingAuthority(NAMES, 730 * DAY, { clock, random: createRandom() }));
    const certificate = new X509Certificate(made.certificate);
    assert.equal(certificate.ca, true);
    assert.equal(certificate.subjectAltName, 'URI:spiffe://injector.sallyport-system.svc');
    assert.ok(certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey));
    assert.equal(Date.parse(certificate.validTo), clock.wallMs() + 730 * DAY);
    const key = createPrivateKey(made.privateKey);
    assert.ok(certificate.checkPrivateKey(key));
    assert.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  });

  test('RFC 6125 6.4: a leaf for every name, and no other', async () => {
    const clock = createDrivenClock();
    const deps = { clock, random: createRandom() };
    const authority = must(await createServingAuthority(NAMES, 730 * DAY, deps));
    const made = must(await issueServingCertificate(authority, NAMES, 30 * DAY, deps));
    const leaf = new X509Certificate(made.certificate);
    for (const name of NAMES.dnsNames) assert.equal(leaf.checkHost(name), name);
    assert.equal(leaf.checkHost('injector.other.svc'), undefined);
    assert.equal(leaf.ca, false);
    assert.ok(leaf.verify(new X509Certificate(authority.certificate).publicKey));
    assert.ok(leaf.checkPrivateKey(createPrivateKey(made.privateKey)));
    assert.equal(Date.parse(leaf.validTo), clock.wallMs() + 30 * DAY);
    assert.notEqual(made.privateKey, authority.privateKey);
  });

  test('a leaf never outlives its authority', async () => {
    const clock = createDrivenClock();
    const deps = { clock, random: createRandom() };
    const authority = must(await createServingAuthority(NAMES, DAY, deps));
    const leaf = must(await issueServingCertificate(authority, NAMES, 30 * DAY, deps));
    assert.equal(end(leaf), end(authority));
    clock.advance(2 * DAY);
    assert.equal((await issueServingCertificate(authority, NAMES, DAY, deps)).ok, false);
  });

  test("what is no authority's is refused, and nothing of a key is told", async () => {
    const deps = { clock: createDrivenClock(), random: createRandom() };
    const authority = must(await createServingAuthority(NAMES, DAY, deps));
    const other = must(await createServingAuthority(NAMES, DAY, deps));
    const { certificate, privateKey } = authority;
    const wrong: readonly KeyedCertificate[] = [
      { certificate: '', privateKey },
      { certificate: `${certificate}${other.certificate}`, privateKey },
      { certificate: 'nonsense\n-----BEGIN CERTIFICATE-----\n', privateKey },
      { certificate, privateKey: 'nonsense' },
      { certificate, privateKey: other.privateKey },
      must(await issueServingCertificate(authority, NAMES, DAY, deps)),
    ];
    for (const one of wrong) {
      const answer = await issueServingCertificate(one, NAMES, DAY, deps);
      assert.ok(!answer.ok && !answer.error.includes('PRIVATE KEY'), JSON.stringify(answer));
    }
  });

  for (const name of ['', 'UPPER.svc', 'a b', '*.svc', 'x'.repeat(300)]) {
    test(`a name that is none: ${JSON.stringify(name.slice(0, 12))}`, async () => {
      const deps = { clock: createDrivenClock(), random: createRandom() };
      assert.equal((await createServingAuthority({ dnsNames: [name] }, DAY, deps)).ok, false);
      const authority = must(await createServingAuthority(NAMES, DAY, deps));
      const asked = { dnsNames: [NAMES.dnsNames[0], name] as const };
      assert.equal((await issueServingCertificate(authority, asked, DAY, deps)).ok, false);
    });
  }
});
