import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import type { BuiltinContext } from '../../../../src/core/policy/builtin.ts';
import { readCertificate } from '../../../../src/core/policy/builtins/x509-certificate.ts';
import { ANY_USAGE, verifiedChain } from '../../../../src/core/policy/builtins/x509-chain.ts';
import type { ChainDemands } from '../../../../src/core/policy/builtins/x509-chain.ts';
import { FREE, limited } from '../../../support/builtin-call.ts';
import * as der from '../../../support/der.ts';
import { OID, extension, generalName } from '../../../support/pki-certificate.ts';
import type { Extension } from '../../../support/pki-certificate.ts';
import { createKeyPair } from '../../../support/pki-keys.ts';
import { createAuthority } from '../../../support/pki.ts';
import type { Authority, CertificateOptions, Issued, LeafOptions } from '../../../support/pki.ts';

const HOUR = 3_600_000;
const NOW = Date.now();
const AT: ChainDemands = { nowNs: BigInt(NOW) * 1_000_000n, host: '', usages: [OID.serverAuth] };
const LEAF: LeafOptions = { uris: [], subject: 'leaf' };

const root = createAuthority({ uris: [] });

function subjects(
  certificates: readonly (Issued | Authority)[],
  demands: Partial<ChainDemands> = {},
  cost: BuiltinContext = FREE,
): string | undefined {
  const read = certificates.map((one) => readCertificate('certificate' in one ? one.certificate.der : one.der));
  return verifiedChain(read, { ...AT, ...demands }, cost)
    ?.map(({ subject }) => subject.map(({ value }) => value).join())
    .join(' < ');
}

function middle(name: string, above: Authority = root, options: CertificateOptions = {}): Authority {
  return above.intermediate({ uris: [], subject: name, ...options });
}

function raw(oid: string, value: Uint8Array, critical = false): Extension {
  return { oid, critical, value };
}

const through = (extensions: readonly Extension[]): string | undefined => {
  const a = middle('a', root, { extensions });
  return subjects([root, a, a.issue(LEAF)]);
};

const mapping = (one: string, other: string): Extension =>
  raw('2.5.29.33', der.sequence(der.sequence(der.oid(one), der.oid(other))));
test('an authority that demands them, now or later', () => {
  assert.equal(through([constraint(0)]), undefined);
  assert.equal(through([constraint(5)]), undefined);
});

const constraint = (explicit: number): Extension =>
  raw('2.5.29.36', der.sequence(der.contextPrimitive(0, Buffer.from([explicit]))));
test('a leaf that demands them of itself', () => {
  assert.equal(subjects([root, root.issue({ ...LEAF, extensions: [constraint(0)] })]), undefined);
  assert.notEqual(subjects([root, root.issue({ ...LEAF, extensions: [constraint(1)] })]), undefined);
});

describe('which certificate is what: the first is the only root, the last the leaf, those between help', () => {
  const a = middle('a');
  const b = middle('b', a);
  const leaf = b.issue(LEAF);
  const chain = 'leaf < b < a < Root of example.org';

  test('in whatever order those between stand, and whatever else is there', () => {
    assert.equal(subjects([root, a, b, leaf]), chain);
    assert.equal(subjects([root, b, a, leaf]), chain);
    assert.equal(subjects([root, middle('c'), b, a, a, createAuthority(), leaf]), chain);
  });

  test('a link that is missing', () => {
    assert.equal(subjects([root, a, leaf]), undefined);
    assert.equal(subjects([root, b, leaf]), undefined);
  });

  test('another root among those between is not trusted', () => {
    const other = createAuthority({ uris: [], trustDomain: 'other.org' });
    assert.equal(subjects([root, other, other.issue(LEAF)]), undefined);
    assert.equal(subjects([other, root, other.issue(LEAF)]), 'leaf < Root of other.org');
  });

  test('an authority that the policy trusts ends the chain, though it has one above', () => {
    assert.equal(subjects([b, a, leaf]), 'leaf < b');
  });

  test('the root itself is a chain of one, which names and usages still judge', () => {
    assert.equal(subjects([root, root]), 'Root of example.org');
    assert.equal(subjects([root, root], { host: 'x.org' }), undefined);
  });

  test('one certificate or none is no chain', () => {
    assert.equal(subjects([root]), undefined);
    assert.equal(subjects([]), undefined);
  });
});

describe('RFC 5280 6.1.3 (a) (2): every certificate is valid at the time, bounds included', () => {
  const from = new Date(Math.floor(NOW / 1000) * 1000 - HOUR);
  const to = new Date(from.getTime() + 2 * HOUR);
  const leaf = root.issue({ ...LEAF, notBefore: from, notAfter: to });
  const at = (ms: number, ns = 0n): string | undefined =>
    subjects([root, leaf], { nowNs: BigInt(ms) * 1_000_000n + ns });
  test('the first nanosecond', () => {
    assert.notEqual(at(from.getTime()), undefined);
    assert.equal(at(from.getTime(), -1n), undefined);
  });
  test('the last nanosecond', () => {
    assert.notEqual(at(to.getTime()), undefined);
    assert.equal(at(to.getTime(), 1n), undefined);
  });
  test('also the root', () => {
    const old = createAuthority({ uris: [], notAfter: new Date(NOW - HOUR) });
    assert.equal(subjects([old, old.issue(LEAF)]), undefined);
  });
});

describe('RFC 5280 4.2.1.9: basic constraints', () => {
  test('the length of the path counts those between, not the leaf', () => {
    for (const [length, depth, want] of [
      [0, 0, true],
      [0, 1, false],
      [1, 1, true],
      [1, 2, false],
      [2, 2, true],
    ] as const) {
      const top = createAuthority({ uris: [], pathLength: length });
      const between: Authority[] = [];
      for (let count = 0; count < depth; count += 1) between.push(middle(`m${count}`, between.at(-1) ?? top));
      const leaf = (between.at(-1) ?? top).issue(LEAF);
      assert.equal(subjects([top, ...between, leaf]) !== undefined, want, `${length} ${depth}`);
    }
  });
  test('a length in the middle', () => {
    const a = middle('a', root, { pathLength: 0 });
    const b = middle('b', a);
    assert.equal(subjects([root, a, b, b.issue(LEAF)]), undefined);
    assert.notEqual(subjects([root, a, a.issue(LEAF)]), undefined);
  });
  test('a leaf is no authority, though it signs', () => {
    const leaf = middle('leaf as authority', root, { cA: false, keyUsage: ['digitalSignature', 'keyCertSign'] });
    assert.equal(subjects([root, leaf, leaf.issue(LEAF)]), undefined);
  });
  test('a root of version 1 needs none, one of version 3 does', () => {
    const first = createAuthority({ uris: [], version: 1, editExtensions: () => [] });
    assert.notEqual(subjects([first, first.issue(LEAF)]), undefined);
    const third = createAuthority({ uris: [], cA: null });
    assert.equal(subjects([third, third.issue(LEAF)]), undefined);
  });
  test('one of version 1 between is none', () => {
    const old = middle('old', root, { version: 1, editExtensions: () => [] });
    assert.equal(subjects([root, old, old.issue(LEAF)]), undefined);
  });
});

describe('RFC 5280 4.2.1.3: key usage', () => {
  test('without the extension any use is allowed', () => {
    const free = middle('free', root, { keyUsage: null });
    assert.notEqual(subjects([root, free, free.issue(LEAF)]), undefined);
  });
  test('with it certificates must be among them, for the root too', () => {
    for (const keyUsage of [['cRLSign'], ['digitalSignature', 'keyEncipherment']] as const) {
      const bound = middle('bound', root, { keyUsage });
      assert.equal(subjects([root, bound, bound.issue(LEAF)]), undefined);
      const top = createAuthority({ uris: [], keyUsage });
      assert.equal(subjects([top, top.issue(LEAF)]), undefined);
    }
  });
});

describe('RFC 5280 4.2.1.12: extended key usages narrow from the root down', () => {
  const cases: readonly (readonly [
    string,
    readonly string[] | null,
    readonly string[] | null,
    readonly string[],
    boolean,
  ])[] = [
    ['none are listed: any use', null, null, ['1.3.6.1.5.5.7.3.3'], true],
    ['the leaf lists it', null, [OID.serverAuth], [OID.serverAuth], true],
    ['the leaf lists another', null, [OID.clientAuth], [OID.serverAuth], false],
    ['any usage in the leaf', null, [OID.anyExtendedKeyUsage], [OID.serverAuth], true],
    ['the one above lists another', [OID.clientAuth], [OID.serverAuth], [OID.serverAuth], false],
    ['any usage above', [OID.anyExtendedKeyUsage], [OID.serverAuth], [OID.serverAuth], true],
    ['one of two that are asked for', null, [OID.clientAuth], [OID.serverAuth, OID.clientAuth], true],
    ['one of two, each cut off elsewhere', [OID.serverAuth], [OID.clientAuth], [OID.serverAuth, OID.clientAuth], false],
    [
      'whatever is listed where any is asked for',
      [OID.clientAuth],
      [OID.clientAuth],
      [OID.serverAuth, ANY_USAGE],
      true,
    ],
    ['a usage that nobody knows', null, ['1.2.3'], [OID.serverAuth], false],
  ];
  for (const [title, above, below, usages, want] of cases)
    test(title, () => {
      const a = middle('a', root, { extendedKeyUsage: above });
      const leaf = a.issue({ ...LEAF, extendedKeyUsage: below });
      assert.equal(subjects([root, a, leaf], { usages }) !== undefined, want);
    });
});

describe('RFC 5280 4.2: critical extensions', () => {
  const unknown = raw('1.2.3.4', der.derNull(), true);
  test('one that nobody knows refuses leaf, middle and root alike', () => {
    const a = middle('a', root, { extensions: [unknown] });
    assert.equal(subjects([root, a, a.issue(LEAF)]), undefined);
    assert.equal(subjects([root, root.issue({ ...LEAF, extensions: [unknown] })]), undefined);
    const top = createAuthority({ uris: [], extensions: [unknown] });
    assert.equal(subjects([top, top.issue(LEAF)]), undefined);
  });
  test('one that is not critical is read over', () => {
    assert.notEqual(
      subjects([root, root.issue({ ...LEAF, extensions: [{ ...unknown, critical: false }] })]),
      undefined,
    );
  });
  test('alternative names of unknown kinds only, where they are critical', () => {
    const only = [der.contextPrimitive(8, Buffer.from([42, 3]))];
    assert.equal(subjects([root, root.issue({ ...LEAF, otherNames: only, sanCritical: true })]), undefined);
    assert.notEqual(subjects([root, root.issue({ ...LEAF, otherNames: only, sanCritical: false })]), undefined);
  });
});

describe('RFC 5280 4.2.1.11, 4.2.1.5: chains that demand policies are refused, which is stricter than Go', () => {
  test('a mapping from or to any policy', () => {
    assert.equal(through([mapping('2.5.29.32.0', '1.2.3')]), undefined);
    assert.equal(through([mapping('1.2.3', '2.5.29.32.0')]), undefined);
    assert.notEqual(through([mapping('1.2.3', '1.2.4')]), undefined);
  });
  test('policies that are only named', () => {
    assert.notEqual(through([raw('2.5.29.32', der.sequence(der.sequence(der.oid('1.2.3'))))]), undefined);
  });
});

describe('RFC 5280 6.1.3 (a) (1): signatures', () => {
  test('of RSA keys from 1024 bits, with exponents that Go takes', () => {
    for (const keyKind of ['rsa1024', 'rsa3072'] as const) {
      const top = createAuthority({ uris: [], keyKind });
      assert.notEqual(subjects([top, top.issue(LEAF)]), undefined, keyKind);
    }
  });
  test('secp256k1 is no curve that Go knows', () => {
    const top = createAuthority({ uris: [], keyKind: 'secp256k1' });
    assert.throws(() => subjects([top, top.issue(LEAF)]), /curve/);
  });
  test('by another key of the same name', () => {
    const twin = createAuthority({ uris: [] });
    assert.equal(subjects([twin, root.issue(LEAF)]), undefined);
  });
  test('the right one of several authorities of one name is found, whatever their key identifiers say', () => {
    const twins = Array.from({ length: 5 }, () => middle('twin'));
    const leaf = twins[3]?.issue({ ...LEAF, authorityKeyId: null });
    const liar = twins[3]?.issue({ ...LEAF, authorityKeyId: Buffer.from('nobody') });
    assert.ok(leaf !== undefined && liar !== undefined);
    for (const one of [leaf, liar]) assert.equal(subjects([root, ...twins, one]), 'leaf < twin < Root of example.org');
  });
});

const dns = (name: string): Uint8Array[] => [generalName.dns(name)];

describe('Go alreadyInChain: subject, key and alternative names together are an authority, which a chain has once', () => {
  const key = createKeyPair();

  test('one that certified itself anew leads nowhere, the way past it is found', () => {
    const first = middle('a', root, { keys: key });
    const again = middle('a', first, { keys: key });
    assert.equal(subjects([root, again, first, first.issue(LEAF)]), 'leaf < a < Root of example.org');
  });
  test('two that certify each other, and nobody else them, are no chain and two signatures', () => {
    const other = createKeyPair();
    const a = createAuthority({ uris: [], subject: 'a', keys: key }).intermediate({
      uris: [],
      subject: 'b',
      keys: other,
    });
    const b = a.intermediate({ uris: [], subject: 'a', keys: key });
    const leaf = a.issue(LEAF);
    assert.equal(signatures([root, a, b, leaf]), 2);
    assert.equal(subjects([root, a, b, leaf]), undefined);
  });
  test('the same name with another key is another: keys are rolled over', () => {
    const old = middle('a');
    const rolled = middle('a', old);
    assert.equal(subjects([root, old, rolled, rolled.issue(LEAF)]), 'leaf < a < a < Root of example.org');
  });
  test('the same key with another name is another', () => {
    const a = middle('a', root, { keys: key });
    const b = middle('b', a, { keys: key });
    assert.equal(subjects([root, a, b, b.issue(LEAF)]), 'leaf < b < a < Root of example.org');
  });
  for (const [title, above, below] of [
    ['other alternative names are another', dns('x.org'), dns('y.org')],
    ['one that has names is not the one that has none', [], dns('y.org')],
    ['one that has no names is not the one that has some', dns('x.org'), []],
  ] as const)
    test(title, () => {
      const first = middle('a', root, { keys: key, otherNames: above });
      const second = middle('a', first, { keys: key, otherNames: below });
      const leaf = first.issue(LEAF);
      assert.equal(subjects([root, second, first, leaf]), 'leaf < a < a < Root of example.org');
    });
});

describe('which issuer is tried first, and what is tried once', () => {
  const key = createKeyPair();
  const named = (id: string | undefined): Authority =>
    middle('a', root, {
      keys: key,
      editExtensions: (list) => [
        ...list.filter(({ oid }) => oid !== OID.subjectKeyIdentifier),
        ...(id === undefined ? [] : [extension.subjectKeyIdentifier(Buffer.from(id))]),
      ],
    });
  const [right, silent, wrong] = [named('right'), named(undefined), named('wrong')];

  function issuerOf(between: readonly Authority[], authorityKeyId: Uint8Array | null): Uint8Array | undefined {
    const leaf = right.issue({ ...LEAF, authorityKeyId });
    const read = [root.certificate, ...between.map(({ certificate }) => certificate), leaf];
    return verifiedChain(
      read.map((one) => readCertificate(one.der)),
      AT,
      FREE,
    )?.[1]?.raw;
  }

  test('the one whose key identifier the certificate names, then one without, then another', () => {
    const id = Buffer.from('right');
    assert.deepEqual(issuerOf([wrong, silent, right], id)?.toHex(), hexOf(right));
    assert.deepEqual(issuerOf([wrong, silent], id)?.toHex(), hexOf(silent));
    assert.deepEqual(issuerOf([wrong], id)?.toHex(), hexOf(wrong));
  });
  test('where the certificate names none, the one that has none', () => {
    assert.deepEqual(issuerOf([wrong, right, silent], null)?.toHex(), hexOf(silent));
    assert.deepEqual(issuerOf([wrong, right], null)?.toHex(), hexOf(wrong));
  });
  test('the same certificate many times is tried once', () => {
    const stranger = middle('a');
    const leaf = right.issue({ ...LEAF, authorityKeyId: null });
    assert.equal(signatures([root, stranger, right, leaf]), 3);
    assert.equal(signatures([root, stranger, right, stranger, stranger, right, leaf]), 3);
  });
});

function hexOf({ certificate }: Authority): string {
  return Buffer.from(certificate.der).toString('hex');
}

/** How many signatures of P-256 a search pays for: 120 microseconds each, of 40,000 steps. */
function signatures(certificates: readonly (Issued | Authority)[]): number {
  let paid = 0;
  subjects(certificates, {}, { ...FREE, charge: (steps) => void (paid += steps) });
  return paid / (120 * 40_000);
}

describe('an attacker\u2019s certificates do not make the search long', () => {
  test('authorities that sign one another go in no circle', () => {
    const keys = Array.from({ length: 4 }, () => createKeyPair());
    const web = keys.flatMap((one, issuer) =>
      keys.map((other, subject) => {
        const signer = createAuthority({ uris: [], subject: `n${issuer}`, keys: one });
        return signer.intermediate({
          subject: `n${subject}`,
          keys: other,
          uris: [`x:${issuer}.${subject}`],
          authorityKeyId: null,
        });
      }),
    );
    const leaf = web[0]?.issue(LEAF);
    assert.ok(leaf !== undefined);
    let paid = 0;
    assert.equal(subjects([root, ...web, leaf], {}, { ...FREE, charge: (steps) => void (paid += steps) }), undefined);
    // A hundred attempts at most: 120 microseconds each, of 40,000 steps.
    assert.ok(paid > 0 && paid <= 100 * 120 * 40_000, String(paid));
  });
  test('every signature is paid for', () => {
    const a = middle('a');
    assert.throws(() => subjects([root, a, a.issue(LEAF)], {}, limited(100_000)), EvaluationHalt);
    assert.notEqual(subjects([root, a, a.issue(LEAF)], {}, limited(20_000_000)), undefined);
  });
  test('a chain of fifty is followed', () => {
    const between = [root];
    for (let depth = 0; depth < 50; depth += 1) between.push(middle(`m${depth}`, between.at(-1)));
    const leaf = between.at(-1)?.issue(LEAF);
    assert.ok(leaf !== undefined);
    assert.equal(subjects([...between, leaf])?.split(' < ').length, 52);
  });
});

test('extensions of a certificate are each read once', () => {
  assert.throws(
    () => readCertificate(root.issue({ ...LEAF, extensions: [extension.basicConstraints(false, undefined)] }).der),
    /twice/,
  );
});
