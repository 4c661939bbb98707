import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import {
  bitsOf,
  chargeJson,
  chargePoint,
  chargeSign,
  chargeVerify,
  isUsableRsa,
} from '../../../../src/core/policy/builtins/crypto-cost.ts';
import { okpKey, rsaKey } from '../../../../src/core/policy/builtins/private-key.ts';
import type { PublicKey } from '../../../../src/core/policy/builtins/public-key.ts';
import { crtOf } from '../../../../src/core/policy/builtins/rsa-arithmetic.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { arr, num, str } from '../../../../src/core/policy/term.ts';
import { FREE, call, limited } from '../../../support/builtin-call.ts';
import * as der from '../../../support/der.ts';
import { answer, term } from '../../../support/json-builtin.ts';

const MICROSECOND = 40_000;

function paid(work: (cost: typeof FREE) => unknown): number {
  let sum = 0;
  work({ ...FREE, charge: (steps) => void (sum += steps) });
  return sum / MICROSECOND;
}

function number(text = ''): bigint {
  return BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
}

const tiny = (oid: string): string =>
  der.pem(
    'EC PRIVATE KEY',
    der.sequence(der.integer(1), der.octetString(Buffer.from([5])), der.context(0, der.oid(oid))),
  );
const request = { method: 'GET', url: `https://a/${'%ff'.repeat(10_000)}` };

const AWS = { aws_service: 'a', aws_access_key: 'b', aws_secret_access_key: 'c', aws_region: 'd' };

const fail = (): never => assert.fail('the key is not used');

function rsa(bits: number): PublicKey {
  return { kind: 'rsa', n: 2n ** BigInt(bits - 1) + 1n, e: 3n, object: fail };
}

/** What it costs to refuse an RSA private key whose parts do not belong together. */
function parts(bits: bigint): number {
  return paid((cost) => {
    const key = { n: 2n ** (bits - 1n) + 1n, e: 3n, d: 1n, p: 3n, q: 5n };
    assert.throws(() => rsaKey(key, [], cost), BuiltinError);
  });
}

describe('prices, in microseconds of 40,000 steps', () => {
  test('RSA is verified by the square of its length and signed by the cube', () => {
    assert.equal(paid((cost) => chargeVerify(cost, rsa(4096))) / paid((cost) => chargeVerify(cost, rsa(2048))), 4);
    const [small, large] = [2048, 4096].map((bits) => paid((cost) => chargeSign(cost, rsa(bits))) - 300);
    assert.equal((large ?? 0) / (small ?? 1), 8);
  });
  test('larger curves cost more', () => {
    const prices = (['P-256', 'P-384', 'P-521'] as const).map((curve) => paid((cost) => chargePoint(cost, curve)));
    assert.deepEqual(
      prices,
      prices.toSorted((a, b) => a - b),
    );
    assert.ok(prices.every((price) => price >= 90));
  });
  test('keys of Curve25519 are paid for when their point is made, and not made where nothing is left', () => {
    for (const kind of ['ed25519', 'x25519'] as const) {
      const seed = new Uint8Array(32).fill(1);
      assert.ok(paid((cost) => okpKey(kind, seed, cost)) >= 100);
      assert.throws(() => okpKey(kind, seed, limited(100 * MICROSECOND - 1)), EvaluationHalt);
    }
  });
  test('the parts of an RSA key are paid for by the square of its length, before they are put together', () => {
    assert.equal(parts(2048n), 150);
    assert.equal(parts(4096n), 600);
    assert.equal(parts(16_385n), 0);
  });
  test('a request to AWS is paid for by the values of its body too', () => {
    const [one, thousand] = [1, 1000].map((count) => {
      const asked = term({ ...request, body: Array.from({ length: count }, () => 0) });
      return paid((cost) => call('providers.aws.sign_req', [asked, term(AWS), num(1)], cost));
    });
    assert.ok((thousand ?? 0) >= (one ?? 0) + 599);
  });
  test('keys and certificates are read at four characters a microsecond, whichever built-in reads them', () => {
    const text = '%'.repeat(4000);
    for (const [name, args] of [
      ['crypto.x509.parse_keypair', [str(text), str('')]],
      ['crypto.x509.parse_keypair', [str(''), str(text)]],
      ['crypto.parse_private_keys', [str(text)]],
      ['crypto.x509.parse_rsa_private_key', [str(`-----BEGIN${text}`)]],
      ['crypto.x509.parse_certificate_request', [str(text)]],
      ['crypto.x509.parse_certificates', [str(text)]],
    ] as const)
      assert.throws(() => call(name, args, limited(1000 * MICROSECOND - 1)), EvaluationHalt, name);
  });
  test('JSON is paid for by values and by length', () => {
    const one = paid((cost) => chargeJson(cost, '[]'));
    assert.ok(paid((cost) => chargeJson(cost, `[${'0,'.repeat(1000)}0]`)) > one + 600);
    assert.ok(paid((cost) => chargeJson(cost, `"${'x'.repeat(1000)}"`)) >= 10);
  });
});

describe('each expensive thing is paid for before it is done', () => {
  const seconds = num(1_700_000_000_000_000_000n);
  const seen = (zone: string, layout = ''): Term => arr([seconds, str(zone), str(layout)]);
  const cases: readonly (readonly [string, string, readonly Term[], number])[] = [
    ['names of zones', 'time.format', [seen('Asia/Kathmandu', 'MST')], 900],
    ['a long layout to write', 'time.format', [seen('UTC', '1'.repeat(10_000))], 1_500],
    ['a long layout to read', 'time.parse_ns', [str('2006 '.repeat(1000)), str('2007 '.repeat(1000))], 700],
    ['a zone', 'time.date', [seen('Europe/Berlin')], 12],
    ['two zones', 'time.diff', [seen('Europe/Berlin'), seen('Asia/Tokyo')], 24],
    ['a duration of many parts', 'time.parse_duration_ns', [str('1h'.repeat(1000))], 800],
    ['a private key of P-224', 'crypto.parse_private_keys', [str(tiny('1.3.132.0.33'))], 500],
    ['a private key of P-384', 'crypto.parse_private_keys', [str(tiny('1.3.132.0.34'))], 1_300],
    ['a private key of P-521', 'crypto.parse_private_keys', [str(tiny('1.3.132.0.35'))], 2_800],
    ['a URL to sign', 'providers.aws.sign_req', [term(request), term(AWS), num(1)], 3_000],
  ];
  for (const [title, name, args, least] of cases) {
    test(`${title}: ${least} microseconds or more`, () => {
      assert.ok(paid((cost) => call(name, args, cost)) >= least);
      assert.throws(() => call(name, args, limited(least * MICROSECOND - 1)), EvaluationHalt);
    });
  }

  test('a zone that there is not is paid for like one that there is', () => {
    assert.throws(() => call('time.date', [seen('Europe/Nowhere')], limited(MICROSECOND)), EvaluationHalt);
    assert.equal(answer('time.date', [[0, 'Europe/Nowhere']]), undefined);
  });

  test('the abbreviation of a zone is looked up once, however often a layout has it', () => {
    const once = paid((cost) => call('time.format', [seen('Asia/Kathmandu', 'MST')], cost));
    const often = paid((cost) => call('time.format', [seen('Asia/Kathmandu', 'MST'.repeat(100))], cost));
    assert.ok(often - once < 100);
  });

  test('ordinary calls stay cheap: a thousandth of the budget', () => {
    for (const [name, args] of [
      ['time.format', [seconds]],
      ['time.parse_rfc3339_ns', [str('2020-01-01T00:00:00Z')]],
      ['time.date', [seconds]],
      ['time.parse_duration_ns', [str('1h')]],
    ] as const)
      assert.ok(paid((cost) => call(name, args, cost)) <= 8, name);
  });
});

describe('crypto/rsa: which keys are used at all', () => {
  const cases: readonly (readonly [string, bigint, bigint, boolean])[] = [
    ['1024 bits', 2n ** 1023n + 1n, 3n, true],
    ['1023 bits', 2n ** 1022n + 1n, 3n, false],
    ['16384 bits', 2n ** 16_383n + 1n, 3n, true],
    ['16385 bits', 2n ** 16_384n + 1n, 3n, false],
    ['an even modulus', 2n ** 1023n, 3n, false],
    ['an even exponent', 2n ** 1023n + 1n, 4n, false],
    ['an exponent of one', 2n ** 1023n + 1n, 1n, false],
    ['the largest exponent', 2n ** 1023n + 1n, 2n ** 31n - 1n, true],
    ['a larger one, which takes long', 2n ** 1023n + 1n, 2n ** 31n + 1n, false],
  ];
  for (const [title, n, e, want] of cases) test(title, () => assert.equal(isUsableRsa({ n, e }), want));
  test('a signature is as long as the modulus', () => {
    const key = { n: 2n ** 1023n + 1n, e: 3n };
    assert.ok(isUsableRsa(key, 128));
    assert.ok(!isUsableRsa(key, 127) && !isUsableRsa(key, 129) && !isUsableRsa(key, 0));
    assert.ok(isUsableRsa({ n: 2n ** 1024n + 1n, e: 3n }, 129));
  });
  test('bits of numbers', () => assert.deepEqual([1n, 2n, 255n, 256n].map(bitsOf), [1, 2, 8, 9]));
});

describe('RFC 8017 3.2: the parts of a private key', () => {
  // 61 * 53 = 3233; e = 17, d = 413 modulo 780.
  const key = { n: 3233n, e: 17n, d: 413n, p: 61n, q: 53n };
  test('for the Chinese remainder', () => assert.deepEqual(crtOf(key), [53n, 49n, 38n]));
  test('d may be any that undoes e', () => assert.deepEqual(crtOf({ ...key, d: 413n + 780n }), [53n, 49n, 38n]));
  for (const [title, change] of [
    ['another modulus', { n: 3235n }],
    ['another exponent', { e: 19n }],
    ['another private exponent', { d: 415n }],
    ['one that undoes e modulo p - 1 only', { d: 53n }],
    ['one that undoes e modulo q - 1 only', { d: 49n }],
    ['no private exponent', { d: 0n }],
    ['one prime twice', { n: 3721n, q: 61n }],
    ['a prime of one', { n: 61n, q: 1n }],
    ['a prime of zero', { p: 0n }],
    ['a negative prime', { p: -61n, q: -53n }],
  ] as const)
    test(`refused: ${title}`, () => assert.equal(crtOf({ ...key, ...change }), undefined));
  test('numbers without an inverse', () =>
    assert.equal(crtOf({ n: 15n * 9n, e: 5n, d: 45n, p: 15n, q: 9n }), undefined));
  test('agree with OpenSSL', () => {
    const jwk = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' });
    const [n, e, d, p, q] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(number);
    assert.ok(n !== undefined && e !== undefined && d !== undefined && p !== undefined && q !== undefined);
    assert.deepEqual(crtOf({ n, e, d, p, q }), [jwk.dp, jwk.dq, jwk.qi].map(number));
  });
});
