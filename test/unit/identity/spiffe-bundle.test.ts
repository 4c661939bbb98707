import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  formatSpiffeBundle,
  MAX_SPIFFE_BUNDLE_BYTES,
  parseSpiffeBundle,
  type SpiffeBundle,
} from '../../../src/core/identity/spiffe-bundle.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { codeOf, domain, judge } from './judging.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';

const root = createAuthority();
const second = createAuthority();
const der = root.certificate.der;

type Entry = Record<string, unknown>;

/** An entry that is right, but for `change`; undefined takes a member away. */
function entry(change: Entry = {}, authority = root): Entry {
  const jwk = authority.certificate.keys.publicKey.export({ format: 'jwk' });
  return { use: 'x509-svid', ...jwk, x5c: [Buffer.from(authority.certificate.der).toString('base64')], ...change };
}

const bytesOf = (document: unknown): Uint8Array =>
  Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));

function reading(document: unknown): SpiffeBundle {
  const parsed = parseSpiffeBundle(bytesOf(document));
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
  return parsed.value;
}

function refusal(document: unknown): string {
  const parsed = parseSpiffeBundle(bytesOf(document));
  assert.ok(!parsed.ok, 'was read');
  assert.match(parsed.error, /^SPIFFE bundle: /);
  return parsed.error;
}

const rootsOf = (...keys: readonly Entry[]): readonly string[] =>
  reading({ keys }).roots.map((one) => Buffer.from(one).toString('hex'));

test('SPIFFE Trust Domain and Bundle 4: a bundle is read', () => {
  const bundle = reading({
    keys: [entry(), entry({}, second)],
    spiffe_sequence: 7,
    spiffe_refresh_hint: 300,
    something: { else: [1] },
  });
  assert.deepEqual(
    bundle.roots.map((one) => Buffer.from(one)),
    [Buffer.from(der), Buffer.from(second.certificate.der)],
  );
  assert.equal(bundle.sequence, 7n);
  assert.equal(bundle.refreshHintMs, 300_000);
});

test('4.1.1 and 4.1.2: sequence and refresh hint may be absent', () => {
  assert.deepEqual(reading({ keys: [] }), { roots: [], sequence: undefined, refreshHintMs: undefined });
});

test('4.1.1: a sequence has 64 bits, of which none is lost', () => {
  assert.equal(reading('{"keys":[],"spiffe_sequence":18446744073709551615}').sequence, 18446744073709551615n);
  assert.equal(reading('{"keys":[],"spiffe_sequence":0}').sequence, 0n);
  for (const wrong of ['18446744073709551616', '-1', '1.5', '1e3', '"7"', 'null', '[]']) {
    assert.match(refusal(`{"keys":[],"spiffe_sequence":${wrong}}`), /spiffe_sequence: not an integer/, wrong);
    assert.match(refusal(`{"keys":[],"spiffe_refresh_hint":${wrong}}`), /spiffe_refresh_hint: not an integer/, wrong);
  }
});

test('4.1.3: keys must be there, and be an array of objects', () => {
  for (const wrong of [{}, { keys: null }, { keys: {} }, { keys: 'x' }])
    assert.match(refusal(wrong), /keys: is not there/);
  for (const wrong of [null, 1, 'x', []]) assert.match(refusal({ keys: [wrong] }), /keys, entry 1: not an object/);
  for (const wrong of ['[]', 'null', '1', '"x"']) assert.match(refusal(wrong), /not a JSON object/);
});

test('X509-SVID 6.2: an empty usable set believes nobody', () => {
  const { roots } = reading({ keys: [entry({ use: 'jwt-svid', kid: 'a', x5c: undefined })] });
  assert.deepEqual(roots, []);
  const trust = createTrustStore(new Map([[domain('example.org'), roots]]));
  assert.ok(trust.ok);
  assert.equal(codeOf(judge(root.issue().chain, trust.value)), 'peer_chain_untrusted');
});

test('4.2.1, 4.2.2: entries of an unknown kty or use are ignored, whatever else they hold', () => {
  const odd: readonly Entry[] = [
    { use: 'jwt-svid' },
    { use: 'X509-SVID' },
    { use: 'sig' },
    { use: undefined },
    { use: 1 },
    { kty: 'AKP' },
    { kty: 'oct' },
    { kty: 'ec' },
    { kty: undefined },
  ];
  for (const change of odd) {
    assert.deepEqual(rootsOf(entry({ ...change, kid: 'x', x5c: 'nonsense' })), [], JSON.stringify(change));
  }
  assert.equal(rootsOf(entry({ use: 'jwt-svid' }), entry(), {}).length, 1);
});

test('X509-SVID 6.2: an entry without x5c, or with none in it, is ignored', () => {
  assert.deepEqual(rootsOf(entry({ x5c: undefined }), entry({ x5c: [] }), entry({ x5c: null })), []);
});

test('X509-SVID 6.2: of several certificates of an entry only the first counts', () => {
  const other = Buffer.from(second.certificate.der).toString('base64');
  const [own] = entry()['x5c'] as string[];
  assert.deepEqual(rootsOf(entry({ x5c: [own, other, 'junk', 5] })), [Buffer.from(der).toString('hex')]);
});

test('X509-SVID 6.1: a kid must not be set', () => {
  for (const kid of ['a', '', null])
    assert.match(refusal({ keys: [entry(), entry({ kid })] }), /entry 2: kid: must not/);
});

test('RFC 7517 4.7: kty and key must be those of the certificate', () => {
  assert.match(refusal({ keys: [entry({ kty: 'RSA' })] }), /kty is not that of its certificate/);
  assert.match(refusal({ keys: [entry({ kty: 'OKP' })] }), /kty is not that of its certificate/);
  assert.match(refusal({ keys: [entry({ crv: 'P-384' })] }), /crv is not that of its certificate/);
  const { x, y } = entry({}, second);
  assert.match(refusal({ keys: [entry({ x, y })] }), /x is not that of its certificate/);
  assert.match(refusal({ keys: [entry({ n: 'AQAB' })] }), /n is not that of its certificate/);
  assert.equal(rootsOf(entry({ x: undefined, y: undefined, crv: undefined })).length, 1, 'the certificate says it');
});

test('all accepted kinds of key go in and out', () => {
  for (const kind of ['p256', 'p384', 'p521', 'ed25519', 'rsa2048'] as const) {
    const authority = createAuthority({ keyKind: kind });
    assert.equal(rootsOf(entry({}, authority)).length, 1, kind);
    const text = formatSpiffeBundle(authority.bundle, { sequence: 1, refreshHintSeconds: 60 });
    assert.deepEqual(
      reading(text).roots.map((one) => Buffer.from(one)),
      authority.bundle.map((one) => Buffer.from(one)),
    );
  }
});

test('a private key in a bundle is refused by name, and not shown', () => {
  const jwk = root.certificate.keys.privateKey.export({ format: 'jwk' });
  const said = refusal({ keys: [entry({ d: jwk.d })] });
  assert.match(said, /holds a private key/);
  assert.ok(!said.includes(String(jwk.d)));
});

test('a weak key makes a bundle unusable', () => {
  assert.match(refusal({ keys: [entry({}, createAuthority({ keys: createKeyPair('rsa1024') }))] }), /kind and size/);
  const p224 = Buffer.from(createAuthority({ keys: createKeyPair('p224') }).certificate.der).toString('base64');
  assert.match(refusal({ keys: [entry({ x5c: [p224] })] }), /kind and size/);
});

test('x5c: what is not base64 of one certificate is refused', () => {
  const [own = ''] = entry()['x5c'] as string[];
  const wrong: readonly unknown[] = [
    'x',
    '',
    5,
    null,
    {},
    `${own}!`,
    `${own.replace(/=*$/, '')}===`,
    own.slice(4),
    `-----BEGIN ${own}`,
  ];
  for (const first of wrong)
    assert.match(refusal({ keys: [entry({ x5c: [first] })] }), /entry 1: x5c: /, String(first));
  for (const x5c of ['x', 5, {}, true]) assert.match(refusal({ keys: [entry({ x5c })] }), /x5c: not an array/);
  const twice = Buffer.concat([der, der]).toString('base64');
  assert.match(refusal({ keys: [entry({ x5c: [twice] })] }), /something follows/);
  const urlSafe = Buffer.from(der).toString('base64url');
  if (urlSafe !== own) assert.match(refusal({ keys: [entry({ x5c: [urlSafe] })] }), /not base64/);
});

test('a certificate that stands there twice counts once', () => {
  assert.equal(rootsOf(entry(), entry(), entry({}, second)).length, 2);
});

test('RFC 8259 4: a key twice in one object is refused, wherever it stands', () => {
  const keys = JSON.stringify([entry()]);
  assert.match(refusal(`{"keys":[],"keys":${keys}}`), /stands twice/);
  assert.match(refusal(`{"keys":[${JSON.stringify(entry()).replace('{', '{"use":"jwt-svid",')}]}`), /stands twice/);
  assert.match(refusal('{"spiffe_sequence":1,"spiffe_sequence":2,"keys":[]}'), /stands twice/);
  assert.match(refusal('{"keys":[],"other":{"a":1,"a":2}}'), /stands twice/);
});

test('a bundle is bounded: bytes, entries, certificates, depth', () => {
  assert.match(refusal(`{"keys":[],"x":"${'a'.repeat(MAX_SPIFFE_BUNDLE_BYTES)}"}`), /over 1048576 bytes/);
  assert.match(refusal({ keys: Array.from({ length: 1025 }, () => ({})) }), /more than 1024/);
  assert.equal(reading({ keys: Array.from({ length: 1024 }, () => ({})) }).roots.length, 0);
  assert.match(refusal(`{"keys":[],"x":${'['.repeat(40)}${']'.repeat(40)}}`), /deeper than 32/);
});

test('more certificates than a trust domain may have are refused', () => {
  const keys = createKeyPair();
  const many = Array.from({ length: 257 }, (_, i) => entry({}, createAuthority({ keys, serial: BigInt(i + 1) })));
  assert.match(refusal({ keys: many }), /more than 256/);
  assert.equal(rootsOf(...many.slice(1)).length, 256);
});

test('text must be UTF-8 without byte order mark', () => {
  assert.match(refusal('\ufeff{"keys":[]}'), /not JSON/);
  const parsed = parseSpiffeBundle(Buffer.from('{"keys":[],"x":"\xff"}', 'latin1'));
  assert.equal(parsed.ok ? '' : parsed.error, 'SPIFFE bundle: not UTF-8');
});

test('4, X509-SVID 6.1: what is written is what the standard wants', () => {
  const text = formatSpiffeBundle(root.bundle, { sequence: (1n << 64n) - 1n, refreshHintSeconds: 300 });
  const document = JSON.parse(text) as { keys: Entry[]; spiffe_refresh_hint: number };
  assert.deepEqual(Object.keys(document), ['keys', 'spiffe_refresh_hint', 'spiffe_sequence']);
  assert.equal(document.spiffe_refresh_hint, 300);
  assert.match(text, /"spiffe_sequence":18446744073709551615\}$/);
  assert.deepEqual(document.keys, [entry()]);
  assert.deepEqual(reading(formatSpiffeBundle([], { sequence: 1, refreshHintSeconds: 1 })).roots, []);
});

const format = (one: Uint8Array): string => formatSpiffeBundle([one], { sequence: 1, refreshHintSeconds: 1 });

test('a certificate that cannot stand in a bundle is a bug of the caller', () => {
  assert.throws(() => format(Buffer.from('x')), TypeError);
  assert.throws(() => format(createAuthority({ keys: createKeyPair('rsa1024') }).certificate.der), TypeError);
});

test('property: what is written is read again', () => {
  const some = [root, second, createAuthority({ keyKind: 'ed25519' })].map(({ certificate }) => certificate.der);
  fc.assert(
    fc.property(
      fc.subarray(some),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.nat(1_000_000),
      (roots, sequence, refreshHintSeconds) => {
        const bundle = reading(formatSpiffeBundle(roots, { sequence, refreshHintSeconds }));
        assert.deepEqual(
          bundle.roots.map((one) => Buffer.from(one)),
          roots.map((one) => Buffer.from(one)),
        );
        assert.deepEqual([bundle.sequence, bundle.refreshHintMs], [sequence, refreshHintSeconds * 1000]);
      },
    ),
    { numRuns: 50 },
  );
});

test('property: any octets and any JSON give a bundle or a reason, never a throw', () => {
  const good = Buffer.from(formatSpiffeBundle(root.bundle, { sequence: 1, refreshHintSeconds: 1 }));
  const spliced = fc
    .tuple(fc.nat(good.length), fc.nat(20), fc.uint8Array({ maxLength: 10 }))
    .map(([at, removed, added]) => Buffer.concat([good.subarray(0, at), added, good.subarray(at + removed)]));
  const json = fc.json().map((text) => Buffer.from(`{"keys":${text}}`));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), spliced, json), (bytes) => {
      const parsed = parseSpiffeBundle(bytes);
      assert.ok(parsed.ok || parsed.error.startsWith('SPIFFE bundle: '));
    }),
    { numRuns: 2000 },
  );
});
