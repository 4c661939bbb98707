import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { createAuthority } from '../../support/pki.ts';
import { extension } from '../../support/pki-certificate.ts';
import type { CrlOptions } from '../../support/pki-crl.ts';
import { issuingDistributionPoint } from '../../support/pki-crl.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { assertIdentified, codeOf, domain, HOUR, judge, MINUTE, NOW, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const middle = root.intermediate();
const leaf = middle.issue({ keys });
const SECOND = Math.floor(NOW / 1000) * 1000;

type Case = { readonly lists: readonly Uint8Array[]; readonly requireCrl?: boolean; readonly atMs?: number };

/** The verdict on the one leaf, with these lists. */
function codeWith({ lists, requireCrl = false, atMs = NOW }: Case): string {
  return codeOf(judge(leaf.chain, trustIn([root], lists), { requireCrl, atMs }));
}

const byMiddle = (options: CrlOptions = {}): Uint8Array => middle.crl(options).der;
const byRoot = (options: CrlOptions = {}): Uint8Array => root.crl(options).der;

/** How a list of the intermediate that lists the leaf counts, and one that does not; the root's list is good. */
function effectOf(options: CrlOptions): { readonly listed: string; readonly unlisted: string } {
  return {
    listed: codeWith({ lists: [byMiddle({ ...options, revoked: [leaf.serial] })] }),
    unlisted: codeWith({ lists: [byMiddle(options), byRoot()], requireCrl: true }),
  };
}

/** Why a list of the intermediate is refused, and all of trust with it: it might be in the place of one that revokes somebody. */
function refusalOf(options: CrlOptions): string {
  const store = createTrustStore(new Map([[domain('example.org'), root.bundle]]), [byMiddle(options)]);
  return store.ok ? 'it was taken' : (store.error[0]?.detail ?? '');
}

const GOOD = { listed: 'peer_certificate_revoked', unlisted: 'identified' };
const UNUSED = { listed: 'identified', unlisted: 'peer_revocation_unknown' };
/** Believed in what it lists, not in what it does not list. */
const PARTIAL = { listed: 'peer_certificate_revoked', unlisted: 'peer_revocation_unknown' };

type Scope = Parameters<typeof issuingDistributionPoint>[0];

const scoped = (scope: Scope): typeof GOOD => effectOf({ extensions: [issuingDistributionPoint(scope)] });
const codeForRootList = (scope: Scope): string =>
  codeWith({ lists: [byMiddle(), byRoot({ extensions: [issuingDistributionPoint(scope)] })], requireCrl: true });

test('RFC 5280 6.3: a leaf on the list of its issuer is refused', () => {
  assert.deepEqual(effectOf({}), GOOD);
  const verdict = judge(leaf.chain, trustIn([root], [byMiddle({ revoked: [1n, leaf.serial] })]));
  assert.equal(codeOf(verdict), 'peer_certificate_revoked');
  assert.equal(verdict.kind === 'rejected' ? verdict.claimedId : '', 'spiffe://example.org/agent');
});

test('RFC 5280 6.3: an intermediate on the list of its issuer is refused', () => {
  assert.equal(codeWith({ lists: [byRoot({ revoked: [middle.certificate.serial] })] }), 'peer_certificate_revoked');
});

test('serial numbers count for their issuer only', () => {
  assert.equal(codeWith({ lists: [byRoot({ revoked: [leaf.serial] })] }), 'identified');
  assert.equal(codeWith({ lists: [byMiddle({ revoked: [middle.certificate.serial] })] }), 'identified');
});

test('without lists everybody passes, unless lists are required', () => {
  assert.equal(codeWith({ lists: [] }), 'identified');
  assert.equal(codeWith({ lists: [], requireCrl: true }), 'peer_revocation_unknown');
});

test('where lists are required, every issuer of the path needs one, the anchor’s included', () => {
  assert.equal(codeWith({ lists: [byMiddle()], requireCrl: true }), 'peer_revocation_unknown');
  assert.equal(codeWith({ lists: [byRoot()], requireCrl: true }), 'peer_revocation_unknown');
  assert.equal(codeWith({ lists: [byRoot(), byMiddle()], requireCrl: true }), 'identified');
});

test('revoked goes before unknown', () => {
  assert.equal(
    codeWith({ lists: [byMiddle({ revoked: [leaf.serial] })], requireCrl: true }),
    'peer_certificate_revoked',
  );
  assert.equal(
    codeWith({ lists: [byRoot({ revoked: [middle.certificate.serial] })], requireCrl: true }),
    'peer_certificate_revoked',
  );
});

test('RFC 5280 6.3.3: a list past its nextUpdate covers nothing, but what it lists stays revoked', () => {
  assert.deepEqual(effectOf({ thisUpdate: new Date(NOW - 2 * HOUR), nextUpdate: new Date(NOW - HOUR) }), PARTIAL);
});

test('RFC 5280 6.3.3: thisUpdate <= now < nextUpdate, to the millisecond', () => {
  const lists = [byRoot(), byMiddle({ thisUpdate: new Date(SECOND), nextUpdate: new Date(SECOND + HOUR) })];
  assert.equal(codeWith({ lists, requireCrl: true, atMs: SECOND }), 'identified');
  assert.equal(codeWith({ lists, requireCrl: true, atMs: SECOND + HOUR - 1 }), 'identified');
  assert.equal(codeWith({ lists, requireCrl: true, atMs: SECOND + HOUR }), 'peer_revocation_unknown');
  assert.equal(codeWith({ lists, requireCrl: true, atMs: SECOND - 30_000 }), 'identified');
  assert.equal(codeWith({ lists, requireCrl: true, atMs: SECOND - 30_001 }), 'peer_revocation_unknown');
});

test('a list from the future covers nothing yet, but what it lists is revoked', () => {
  assert.deepEqual(effectOf({ thisUpdate: new Date(NOW + HOUR) }), PARTIAL);
});

test('RFC 5280 6.3.3 f: a list with another name, or by another key of the same name, is not the issuer’s', () => {
  assert.deepEqual(effectOf({ issuer: root.name }), UNUSED);
  assert.deepEqual(effectOf({ keys: createKeyPair() }), UNUSED);
  assert.deepEqual(effectOf({ keys: createKeyPair(), authorityKeyId: null }), UNUSED);
});

test('RFC 5280 6.3.3 g: a list whose signature is wrong or too weak is not used', () => {
  assert.deepEqual(effectOf({ breakSignature: true }), UNUSED);
  assert.deepEqual(effectOf({ digest: 'sha1' }), UNUSED);
});

test('RFC 5280 5.2.1: a key identifier that is not the issuer’s makes it another’s list; none at all is let pass', () => {
  assert.deepEqual(effectOf({ authorityKeyId: Buffer.alloc(20) }), UNUSED);
  assert.deepEqual(effectOf({ authorityKeyId: null }), GOOD);
});

test('RFC 5280 4.2.1.3: an issuer without cRLSign signs no lists', () => {
  const mute = root.intermediate({ subject: 'Mute', keyUsage: ['keyCertSign'] });
  const issued = mute.issue({ keys });
  const lists = [mute.crl({ revoked: [issued.serial] }).der, byRoot()];
  assert.equal(codeOf(judge(issued.chain, trustIn([root], lists))), 'identified');
  assert.equal(codeOf(judge(issued.chain, trustIn([root], lists), { requireCrl: true })), 'peer_revocation_unknown');
});

test('RFC 5280 5.2: a list with a critical extension that is not processed is refused as a whole', () => {
  const made = { oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) };
  assert.match(refusalOf({ extensions: [made] }), /^cannot be used: .*1\.2\.3/);
  assert.deepEqual(effectOf({ extensions: [{ ...made, critical: false }] }), GOOD);
});

test('RFC 5280 5.3: a list with a critical entry extension that is not processed is refused, whoever’s entry it is', () => {
  const strange = { serial: 1n, extensions: [{ oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) }] };
  assert.match(refusalOf({ revoked: [strange, leaf.serial] }), /^cannot be used: /);
});

test('RFC 5280 5.2.4: a delta list is no full list', () => {
  assert.deepEqual(effectOf({ deltaOf: 1n }), PARTIAL);
});

test('RFC 5280 5.2.5: the scope of a list is honoured', () => {
  assert.deepEqual(scoped({ onlyUserCerts: true }), GOOD);
  assert.deepEqual(scoped({ onlyCaCerts: true }), PARTIAL);
  assert.deepEqual(scoped({ onlyAttributeCerts: true }), PARTIAL);
  assert.deepEqual(scoped({ onlySomeReasons: true }), PARTIAL);
  assert.deepEqual(scoped({ uri: 'http://example.org/crl' }), PARTIAL);
  assert.match(
    refusalOf({ extensions: [issuingDistributionPoint({ indirect: true })] }),
    /^cannot be used: an indirect list$/,
  );
});

test('RFC 5280 5.2.5: a list for authorities covers the intermediate, one for leaves does not', () => {
  assert.equal(codeForRootList({ onlyCaCerts: true }), 'identified');
  assert.equal(codeForRootList({ onlyUserCerts: true }), 'peer_revocation_unknown');
});

test('RFC 5280 6.3.3 b: a list of one distribution point covers the certificates that name it', () => {
  const pointing = middle.issue({ keys, extensions: [extension.crlDistributionPoints('http://example.org/crl/7')] });
  const code = (uri: string): string =>
    codeOf(
      judge(
        pointing.chain,
        trustIn([root], [byRoot(), byMiddle({ extensions: [issuingDistributionPoint({ uri })] })]),
        {
          requireCrl: true,
        },
      ),
    );
  assert.equal(code('http://example.org/crl/7'), 'identified');
  assert.equal(code('http://example.org/crl/8'), 'peer_revocation_unknown');
});

test('of several lists of an issuer all are asked', () => {
  const stale = byMiddle({
    thisUpdate: new Date(NOW - 3 * HOUR),
    nextUpdate: new Date(NOW - HOUR),
    revoked: [leaf.serial],
  });
  const broken = byMiddle({ breakSignature: true });
  assert.equal(codeWith({ lists: [byMiddle(), broken, stale] }), 'peer_certificate_revoked');
  assert.equal(codeWith({ lists: [broken, byMiddle(), byRoot()], requireCrl: true }), 'identified');
});

test('a verdict that needs lists holds until the last list that covers it grows old', () => {
  const until = (minutes: number): CrlOptions => ({ nextUpdate: new Date(SECOND + minutes * MINUTE) });
  const lists = [byRoot(until(50)), byMiddle(until(10)), byMiddle(until(20))];
  const needing = judge(leaf.chain, trustIn([root], lists), { requireCrl: true });
  assertIdentified(needing);
  assert.equal(needing.validUntilMs, SECOND + 20 * MINUTE);
  const free = judge(leaf.chain, trustIn([root], lists));
  assertIdentified(free);
  assert.equal(free.validUntilMs, free.certificate.notAfterMs);
});

test('lists of RSA and Ed25519 issuers', () => {
  for (const keyKind of ['rsa2048', 'ed25519'] as const) {
    const authority = createAuthority({ keyKind });
    const issued = authority.issue({ keys });
    const trust = trustIn([authority], [authority.crl({ revoked: [issued.serial] }).der]);
    assert.equal(codeOf(judge(issued.chain, trust)), 'peer_certificate_revoked', keyKind);
  }
});

test('roll-over: lists by the old and the new key of one name each count for their own certificates', () => {
  const [old, fresh] = [createAuthority(), createAuthority()];
  const issued = [old, fresh].map((authority) => authority.issue({ keys, serial: 7n }));
  const trust = trustIn([old, fresh], [old.crl({ revoked: [7n] }).der, fresh.crl().der]);
  assert.deepEqual(
    issued.map(({ chain }) => codeOf(judge(chain, trust, { requireCrl: true }))),
    ['peer_certificate_revoked', 'identified'],
  );
});

test('many keys that claim one list do not make its memory grow or its answer change', () => {
  const shared = createAuthority({ subject: 'Shared' });
  const list = shared.crl({ authorityKeyId: null, revoked: [7n] }).der;
  const others = Array.from({ length: 20 }, () => createAuthority({ subject: 'Shared' }));
  const trust = trustIn([shared, ...others], [list]);
  for (const other of others) assert.equal(codeOf(judge(other.issue({ keys, serial: 7n }).chain, trust)), 'identified');
  assert.equal(codeOf(judge(shared.issue({ keys, serial: 7n }).chain, trust)), 'peer_certificate_revoked');
  assert.ok((trust.lists[0]?.verifiedBy.size ?? 0) <= 8);
});

test('fault table: where lists are required, each flaw of the one list there is makes the peer unknown, and none lets it pass', () => {
  const flaws: Readonly<Record<string, CrlOptions>> = {
    'issuer: another name': { issuer: root.name },
    'signature: of another key': { keys: createKeyPair() },
    'signature: broken': { breakSignature: true },
    'signature: too weak': { digest: 'sha1' },
    'key identifier: of another key': { authorityKeyId: Buffer.alloc(20) },
    'dates: grown old': { thisUpdate: new Date(NOW - 2 * HOUR), nextUpdate: new Date(NOW - HOUR) },
    'dates: of the future': { thisUpdate: new Date(NOW + HOUR) },
    'kind: changes only': { deltaOf: 1n },
    'scope: authorities': { extensions: [issuingDistributionPoint({ onlyCaCerts: true })] },
    'scope: attribute certificates': { extensions: [issuingDistributionPoint({ onlyAttributeCerts: true })] },
    'scope: some reasons': { extensions: [issuingDistributionPoint({ onlySomeReasons: true })] },
    'scope: another distribution point': { extensions: [issuingDistributionPoint({ uri: 'http://example.org/1' })] },
  };
  for (const [flaw, options] of Object.entries(flaws)) {
    assert.equal(codeWith({ lists: [byMiddle(options), byRoot()], requireCrl: true }), 'peer_revocation_unknown', flaw);
    assert.equal(codeWith({ lists: [byMiddle(options), byMiddle(), byRoot()], requireCrl: true }), 'identified', flaw);
  }
});

test('fault table: a list that cannot be read or used is refused with all of trust, by name', () => {
  const made = { oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) };
  const refusals: Readonly<Record<string, readonly [CrlOptions, RegExp]>> = {
    'critical extension': [{ extensions: [made] }, /critical extension 1\.2\.3/],
    'critical entry extension': [{ revoked: [{ serial: 1n, extensions: [made] }] }, /critical entry extension 1\.2\.3/],
    'no nextUpdate': [{ nextUpdate: null }, /nextUpdate/],
    'negative number': [{ number: -1n }, /CRL number: negative/],
    'two algorithms': [{ outerAlgorithm: Buffer.from('300506032b6570', 'hex') }, /not the same inside and outside/],
  };
  for (const [flaw, [options, why]] of Object.entries(refusals)) assert.match(refusalOf(options), why, flaw);
});
