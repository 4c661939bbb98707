import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Crl } from '../../../src/core/identity/crl.ts';
import { MAX_CRL_BYTES, parseCrl, parseCrlHead } from '../../../src/core/identity/crl.ts';
import * as der from '../../support/der.ts';
import { createAuthority } from '../../support/pki.ts';
import type { Extension } from '../../support/pki-certificate.ts';
import { generalName } from '../../support/pki-certificate.ts';
import type { CrlOptions } from '../../support/pki-crl.ts';
import { issuingDistributionPoint } from '../../support/pki-crl.ts';
import { keyIdentifier } from '../../support/pki-keys.ts';
import { HOUR, NOW } from './judging.ts';

const root = createAuthority();
const nothing = Buffer.from([5, 0]);

function reading(options: CrlOptions = {}): Crl {
  const result = parseCrl(root.crl(options).der);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

function refusal(bytes: Uint8Array): string {
  const result = parseCrl(bytes);
  assert.ok(!result.ok, 'was read');
  assert.match(result.error, /^revocation list: /);
  return result.error;
}

const unknownCritical: Extension = { oid: '1.2.3', critical: true, value: nothing };

const scopeOf = (scope: Parameters<typeof issuingDistributionPoint>[0]): Crl['scope'] =>
  reading({ extensions: [issuingDistributionPoint(scope)] }).scope;

test('RFC 5280 5.1: a list is read', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const crl = reading({
    revoked: [10n, { serial: 0x80n, reason: 1 }, { serial: 1n << 150n, at: new Date('2055-01-01T00:00:00Z') }],
    thisUpdate: new Date(second - HOUR),
    nextUpdate: new Date(second + HOUR),
  });
  assert.deepEqual([...crl.revoked], ['a', '80', (1n << 150n).toString(16)]);
  assert.equal(crl.thisUpdateMs, second - HOUR);
  assert.equal(crl.nextUpdateMs, second + HOUR);
  assert.equal(crl.authorityKeyId, keyIdentifier(root.certificate.keys).toHex());
  assert.equal(crl.issuer.toHex(), root.name.toHex());
  assert.deepEqual(crl.scope, { distributionPoint: undefined, certificates: 'all', allReasons: true });
  assert.deepEqual([crl.delta, crl.unusable], [false, undefined]);
});

test('RFC 5280 5.1.2.6: a list of nothing is a list', () => {
  assert.equal(reading().revoked.size, 0);
});

test('RFC 5280 5.1.2.1: version 1 has no extensions', () => {
  const crl = reading({ version: 1, revoked: [1n] });
  assert.equal(crl.authorityKeyId, undefined);
  assert.deepEqual([...crl.revoked], ['1']);
  assert.match(refusal(root.crl({ version: 1, revoked: [{ serial: 1n, reason: 1 }] }).der), /something follows/);
});

test('RFC 5280 5.1.2.5: a list that never grows old is refused', () => {
  assert.match(refusal(root.crl({ nextUpdate: null }).der), /nextUpdate/);
});

test('RFC 5280 5.1.2.3: a list of nobody is refused', () => {
  assert.match(refusal(root.crl({ issuer: der.sequence() }).der), /issuer: empty/);
});

test('RFC 5280 5.1.1.2: the algorithm inside and outside must be the same', () => {
  assert.match(refusal(root.crl({ outerAlgorithm: der.sequence(der.oid('1.3.101.112')) }).der), /not the same/);
});

test('serial numbers are compared as integers, at their edges too', () => {
  const serials = [1n, 127n, 128n, 255n, 256n, (1n << 159n) - 1n, 1n << 159n, (1n << 160n) - 1n];
  assert.deepEqual(
    [...reading({ revoked: serials }).revoked],
    serials.map((serial) => serial.toString(16)),
  );
});

test('a negative serial number is nobody’s: it must not be taken for the positive one of the same octets', () => {
  assert.deepEqual([...reading({ revoked: [-1n, 1n] }).revoked], ['1']);
});

test('RFC 5280 4.1.2.2: a serial number of more than 20 octets is refused', () => {
  assert.match(refusal(root.crl({ revoked: [1n << 170n] }).der), /INTEGER of more than 21/);
});

test('RFC 5280 5.3: a critical entry extension that is not processed makes the list unusable', () => {
  assert.match(reading({ revoked: [{ serial: 1n, extensions: [unknownCritical] }, 2n] }).unusable ?? '', /1\.2\.3/);
  assert.equal(
    reading({ revoked: [{ serial: 1n, extensions: [{ ...unknownCritical, critical: false }] }] }).unusable,
    undefined,
  );
  const certificateIssuer = { oid: '2.5.29.29', critical: true, value: der.sequence(generalName.directory(root.name)) };
  assert.match(reading({ revoked: [{ serial: 1n, extensions: [certificateIssuer] }] }).unusable ?? '', /2\.5\.29\.29/);
});

test('RFC 5280 5.2: a critical extension that is not processed makes the list unusable', () => {
  assert.match(reading({ extensions: [unknownCritical] }).unusable ?? '', /1\.2\.3/);
  assert.equal(reading({ extensions: [{ ...unknownCritical, critical: false }] }).unusable, undefined);
});

test('RFC 5280 4.2: an extension that is there twice is refused', () => {
  assert.match(refusal(root.crl({ extensions: [unknownCritical, unknownCritical] }).der), /there twice/);
});

test('RFC 5280 5.2.4: a delta list is known as one, and what it takes back it does not list', () => {
  const crl = reading({
    deltaOf: 1n,
    revoked: [
      { serial: 1n, reason: 1 },
      { serial: 2n, reason: 8 },
    ],
  });
  assert.equal(crl.delta, true);
  assert.deepEqual([...crl.revoked], ['1']);
});

test('RFC 5280 5.2.5: the scope of a list is read', () => {
  const uri = 'http://example.org/crl';
  assert.deepEqual(scopeOf({ uri }).distributionPoint, [generalName.uri(uri).toHex()]);
  assert.equal(scopeOf({ onlyUserCerts: true }).certificates, 'leaves');
  assert.equal(scopeOf({ onlyCaCerts: true }).certificates, 'authorities');
  assert.equal(scopeOf({ onlyAttributeCerts: true }).certificates, 'none');
  assert.equal(scopeOf({ onlySomeReasons: true }).allReasons, false);
  assert.deepEqual(scopeOf({}), { distributionPoint: undefined, certificates: 'all', allReasons: true });
});

test('RFC 5280 5.2.5: an indirect list is not used, a contradictory one not read', () => {
  assert.match(reading({ extensions: [issuingDistributionPoint({ indirect: true })] }).unusable ?? '', /indirect/);
  const both = issuingDistributionPoint({ onlyUserCerts: true, onlyCaCerts: true });
  assert.match(refusal(root.crl({ extensions: [both] }).der), /more than one kind/);
});

test('RFC 5280 5.2.3: the number of a list is read, whatever its size, and is not negative', () => {
  const numbers = [0n, 1n, 0x80n, 256n, (1n << 159n) - 1n];
  assert.deepEqual(
    numbers.map((number) => reading({ number }).number),
    ['', '1', '80', '100', ((1n << 159n) - 1n).toString(16)],
  );
  assert.equal(reading({ version: 1 }).number, undefined);
  assert.match(refusal(root.crl({ number: -1n }).der), /CRL number: negative/);
  assert.match(refusal(root.crl({ number: 1n << 170n }).der), /CRL number: an INTEGER of more than 21 octets/);
});

test('lists of different scopes are told apart, those of one scope are not', () => {
  const keyOf = (scope: Parameters<typeof issuingDistributionPoint>[0]): string =>
    reading({ extensions: [issuingDistributionPoint(scope)] }).scopeKey;
  const scopes = [{}, { uri: 'a' }, { uri: 'b' }, { onlyUserCerts: true }, { onlyCaCerts: true }];
  const keys = scopes.map(keyOf);
  assert.equal(new Set([...keys, reading().scopeKey]).size, scopes.length + 1);
  assert.deepEqual(scopes.map(keyOf), keys);
});

test('the head of a list is read without its entries, and says the same', () => {
  const { der } = root.crl({ revoked: [1n, { serial: 2n, reason: 1 }], number: 7n });
  const whole = parseCrl(der);
  const head = parseCrlHead(der);
  assert.ok(whole.ok && head.ok);
  const { revoked, ...rest } = whole.value;
  assert.equal(revoked.size, 2);
  assert.deepEqual(head.value, rest);
  assert.match(JSON.stringify(parseCrlHead(new Uint8Array(MAX_CRL_BYTES + 1))), /over 8388608/);
});

const reason = (code: number): Extension => ({
  oid: '2.5.29.21',
  critical: false,
  value: der.tlv(0x0a, Buffer.from([code])),
});

const isListed = (extensions: readonly Extension[]): boolean =>
  reading({ revoked: [{ serial: 5n, extensions }] }).revoked.has('5');

test('property: a reason is read the same, alone, beside another extension, or marked critical', () => {
  const other: Extension = { oid: '2.5.29.24', critical: false, value: nothing };
  fc.assert(
    fc.property(fc.nat(255), (code) => {
      const expected = code !== 8;
      assert.equal(isListed([reason(code)]), expected);
      assert.equal(isListed([reason(code), other]), expected);
      assert.equal(isListed([{ ...reason(code), critical: true }]), expected);
    }),
  );
});

test('RFC 5280 5.3: an entry extension that only looks like a reason is judged as what it is', () => {
  const almost: Extension = { oid: '2.5.29.99', critical: true, value: der.tlv(0x0a, Buffer.from([1])) };
  const crl = reading({ revoked: [{ serial: 1n, extensions: [almost] }] });
  assert.match(crl.unusable ?? '', /critical entry extension 2\.5\.29\.99/);
  const removing: Extension = { ...almost, critical: false, value: der.tlv(0x0a, Buffer.from([8])) };
  assert.equal(isListed([removing]), true, 'as long as a reason, and none');
  const integer: Extension = { oid: '2.5.29.21', critical: false, value: der.tlv(0x02, Buffer.from([8])) };
  assert.match(refusal(root.crl({ revoked: [{ serial: 5n, extensions: [integer] }] }).der), /reason: tag 2/);
});

test('a list has at most 8 MiB', () => {
  assert.match(refusal(new Uint8Array(MAX_CRL_BYTES + 1)), /over 8388608/);
});

test('a hundred thousand entries with reasons are read; the time and memory are printed', (context) => {
  const revoked = Array.from({ length: 100_000 }, (_, i) => ({ serial: (1n << 150n) + BigInt(i) * 7919n, reason: 1 }));
  const bytes = root.crl({ revoked }).der;
  const heap = process.memoryUsage().heapUsed;
  const start = performance.now();
  const crl = parseCrl(bytes);
  const ms = performance.now() - start;
  const used = (process.memoryUsage().heapUsed - heap) / 2 ** 20;
  assert.ok(crl.ok);
  assert.equal(crl.value.revoked.size, revoked.length);
  context.diagnostic(`${bytes.length} bytes: ${ms.toFixed(0)} ms, ${used.toFixed(0)} MiB of heap, garbage included`);
});

test('a list of fifty thousand entries is read', () => {
  const serials = Array.from({ length: 50_000 }, (_, i) => (1n << 100n) + BigInt(i));
  const crl = reading({ revoked: serials });
  assert.equal(crl.revoked.size, serials.length);
  assert.ok(crl.revoked.has(((1n << 100n) + 49_999n).toString(16)));
});

test('bytes after a list are refused', () => {
  assert.match(refusal(Buffer.concat([root.crl().der, nothing])), /something follows/);
});

test('property: the serial numbers that went in come out', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.bigInt({ min: 1n, max: (1n << 160n) - 1n }), { maxLength: 20 }), (serials) => {
      assert.deepEqual(
        [...reading({ revoked: serials }).revoked],
        serials.map((serial) => serial.toString(16)),
      );
    }),
    { numRuns: 50 },
  );
});

test('property: any octets give a list or a reason, never a throw', () => {
  const good = root.crl({
    revoked: [1n, { serial: 2n, reason: 1 }],
    extensions: [issuingDistributionPoint({ uri: 'a' })],
  }).der;
  const spliced = fc
    .tuple(fc.nat(good.length), fc.nat(20), fc.uint8Array({ maxLength: 20 }))
    .map(([at, removed, added]) => Buffer.concat([good.subarray(0, at), added, good.subarray(at + removed)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), spliced), (bytes) => {
      assert.equal(typeof parseCrl(bytes).ok, 'boolean');
    }),
    { numRuns: 2000 },
  );
});
