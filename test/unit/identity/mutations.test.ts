import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { createAuthority } from '../../support/pki.ts';
import { extension, generalName } from '../../support/pki-certificate.ts';
import { codeOf, judge, trustIn } from './judging.ts';

/** Good chains of several shapes; every property below starts from one of them. */
const root = createAuthority();
const limited = root.intermediate({
  subject: 'Limited',
  pathLength: 1,
  extensions: [extension.nameConstraints([generalName.uri('example.org')], [])],
});
const ed25519 = createAuthority({ keyKind: 'ed25519', subject: 'Ed25519' });
const rsa = createAuthority({ keyKind: 'rsa2048', subject: 'RSA' });
const lists = [root.crl().der, limited.crl().der, ed25519.crl().der, rsa.crl().der];
const trust = trustIn([root, ed25519, rsa], lists);
const CHAINS: readonly (readonly Uint8Array[])[] = [
  root.issue().chain,
  limited.intermediate().issue({ subject: 'agent', dnsNames: ['a.example.org'] }).chain,
  ed25519.issue({ keyKind: 'ed25519' }).chain,
  rsa.issue().chain,
];

type Change = (bytes: Uint8Array) => Uint8Array;

/** A chain with one certificate changed. */
function changed(chain: readonly Uint8Array[], which: number, change: Change): readonly Uint8Array[] {
  return chain.map((bytes, index) => (index === which % chain.length ? change(bytes) : bytes));
}

const at = (bytes: Uint8Array, position: number): number => position % bytes.length;

const flip: fc.Arbitrary<Change> = fc
  .tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
  .map(([position, mask]) => (bytes) => {
    const copy = Uint8Array.from(bytes);
    copy[at(bytes, position)] = (copy[at(bytes, position)] ?? 0) ^ mask;
    return copy;
  });

const cut: fc.Arbitrary<Change> = fc.nat().map((position) => (bytes) => bytes.subarray(0, at(bytes, position)));

const grow: fc.Arbitrary<Change> = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 20 })).map(
  ([position, added]) =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, at(bytes, position)), added, bytes.subarray(at(bytes, position))]),
);

const drop: fc.Arbitrary<Change> = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 40 })).map(
  ([position, count]) =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, at(bytes, position)), bytes.subarray(at(bytes, position) + count)]),
);

/** Places where a length octet stands: after every octet that looks like a tag. */
const lie: fc.Arbitrary<Change> = fc
  .tuple(fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff))
  .map(([position, length]) => (bytes) => {
    const copy = Uint8Array.from(bytes);
    const tags = [...bytes.keys()].filter((index) =>
      [0x02, 0x03, 0x04, 0x06, 0x30, 0x31, 0xa0, 0xa3].includes(bytes[index] ?? 0),
    );
    const tag = tags[position % tags.length] ?? 0;
    copy[tag + 1] = length;
    return copy;
  });

const swap: fc.Arbitrary<Change> = fc
  .tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 30 }))
  .map(([from, to, count]) => (bytes) => {
    const copy = Uint8Array.from(bytes);
    copy.set(
      bytes.subarray(
        at(bytes, from),
        at(bytes, from) + Math.min(count, bytes.length - Math.max(at(bytes, from), at(bytes, to))),
      ),
      at(bytes, to),
    );
    return copy;
  });

test('the unchanged chains verify, with revocation lists required where there are any', () => {
  for (const chain of CHAINS) assert.equal(codeOf(judge(chain, trust)), 'identified');
});

test('property: a changed certificate never verifies, and never makes anything throw', () => {
  const change = fc.oneof(flip, cut, grow, drop, lie, swap);
  fc.assert(
    fc.property(fc.constantFrom(...CHAINS), fc.nat(), change, (chain, which, apply) => {
      const result = changed(chain, which, apply);
      const same = result.every((bytes, index) => Buffer.from(bytes).equals(chain[index] ?? Buffer.alloc(0)));
      const code = codeOf(judge(result, trust));
      if (same) assert.equal(code, 'identified');
      else assert.notEqual(code, 'identified');
    }),
    { numRuns: 3000 },
  );
});

test('property: no bit of a leaf can be changed without notice', () => {
  const [chain = []] = CHAINS;
  const [leaf = new Uint8Array()] = chain;
  for (let bit = 0; bit < leaf.length * 8; bit += 1) {
    const copy = Uint8Array.from(leaf);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notEqual(codeOf(judge([copy], trust)), 'identified', `bit ${bit}`);
  }
});

test('property: what is read back from a changed certificate is never more than its bytes', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CHAINS), fc.oneof(flip, lie, swap), ([leaf = new Uint8Array()], apply) => {
      const result = parseCertificate(apply(leaf));
      if (!result.ok) {
        assert.equal(result.error.code, 'peer_certificate_malformed');
        assert.ok(result.error.detail.length < 500);
        return;
      }
      const { tbs, spki, signature, issuer, subject } = result.value;
      for (const part of [tbs, spki, signature, issuer, subject]) assert.ok(part.length <= leaf.length);
    }),
    { numRuns: 1000 },
  );
});

test('property: certificates mixed from all chains identify only whom the first one names, by a chain that is whole', () => {
  const all = CHAINS.flat();
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...all), { minLength: 1, maxLength: 10 }), (chain) => {
      const verdict = judge(chain, trust);
      const own = CHAINS.find(([leaf]) => leaf === chain[0]);
      const whole = own?.every((bytes) => chain.includes(bytes)) === true;
      assert.equal(verdict.kind === 'identified', whole, codeOf(verdict));
    }),
    { numRuns: 500 },
  );
});
