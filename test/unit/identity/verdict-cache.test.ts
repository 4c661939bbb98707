import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { createVerdictCache } from '../../../src/core/identity/verdict-cache.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { AS_CLIENT, assertIdentified, codeOf, HOUR, MINUTE, NOW, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const middle = root.intermediate();
const trust = trustIn([root]);
const issue = (name: string): readonly Uint8Array[] => middle.issue({ keys, id: `spiffe://example.org/${name}` }).chain;
const leafOf = ([leaf = new Uint8Array()]: readonly Uint8Array[]): Uint8Array => leaf;

test('the same bytes under the same trust give the same verdict, not an equal one', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  const first = cache.judge(chain, trust, NOW);
  assertIdentified(first);
  assert.equal(
    cache.judge(
      chain.map((bytes) => Uint8Array.from(bytes)),
      trust,
      NOW + MINUTE,
    ),
    first,
  );
  assert.equal(cache.size, 1);
});

test('what is kept is a copy of its own, of a Buffer too: another chain in the same memory is another chain', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a').map((der) => Buffer.from(der));
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  chain[1]?.fill(0);
  assert.notEqual(codeOf(cache.judge(chain, trust, NOW)), 'identified');
});

test('an equal store made anew has the same revision, so the verdict stays', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  assert.equal(cache.judge(chain, trust, NOW), cache.judge(chain, trustIn([root]), NOW));
});

test('a change of trust makes every verdict fresh', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const issued = middle.issue({ keys });
  assert.equal(codeOf(cache.judge(issued.chain, trust, NOW)), 'identified');
  const revoking = trustIn([root], [middle.crl({ revoked: [issued.serial] }).der]);
  assert.equal(codeOf(cache.judge(issued.chain, revoking, NOW)), 'peer_certificate_revoked');
  assert.equal(codeOf(cache.judge(issued.chain, trustIn([]), NOW)), 'peer_trust_domain_unknown');
  assert.equal(codeOf(cache.judge(issued.chain, trust, NOW)), 'identified');
});

test('a verdict ends with the first certificate of its path', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = middle.issue({ keys, notAfter: new Date(NOW + HOUR) }).chain;
  const first = cache.judge(chain, trust, NOW);
  assertIdentified(first);
  assert.equal(cache.judge(chain, trust, first.validUntilMs - 1), first);
  assert.equal(codeOf(cache.judge(chain, trust, first.validUntilMs + 1)), 'peer_certificate_expired');
  assert.equal(cache.size, 0);
});

test('a verdict that needs revocation lists ends with them', () => {
  const cache = createVerdictCache(10, { purpose: 'client', requireCrl: true });
  const nextUpdate = new Date(Math.floor(NOW / 1000) * 1000 + HOUR);
  const listed = trustIn([root], [root.crl({ nextUpdate }).der, middle.crl({ nextUpdate }).der]);
  const chain = issue('a');
  assert.equal(codeOf(cache.judge(chain, listed, NOW)), 'identified');
  assert.equal(codeOf(cache.judge(chain, listed, nextUpdate.getTime())), 'peer_revocation_unknown');
});

test('refusals are not kept', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  for (const name of ['', 'a/', 'b//c']) assert.equal(cache.judge(issue(name), trust, NOW).kind, 'rejected');
  assert.equal(cache.judge([], trust, NOW).kind, 'rejected');
  assert.equal(cache.judge([Buffer.from('x')], trust, NOW).kind, 'rejected');
  assert.equal(cache.size, 0);
});

test('a refusal that time cures is not kept either', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = middle.issue({ keys, notBefore: new Date(NOW + HOUR) }).chain;
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'peer_certificate_not_yet_valid');
  assert.equal(codeOf(cache.judge(chain, trust, NOW + HOUR)), 'identified');
});

test('the same leaf with other certificates is judged anew', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  assert.equal(codeOf(cache.judge([leafOf(chain)], trust, NOW)), 'peer_chain_untrusted');
  assert.equal(codeOf(cache.judge([leafOf(chain), root.certificate.der], trust, NOW)), 'peer_chain_untrusted');
});

test('certificates that run into one another make no key that is another’s', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  assert.equal(codeOf(cache.judge([Buffer.concat(chain)], trust, NOW)), 'peer_certificate_malformed');
});

test('at most so many leaves are kept, the least recently used leaving first', () => {
  const cache = createVerdictCache(2, AS_CLIENT);
  const [a, b, c] = [issue('a'), issue('b'), issue('c')];
  for (const chain of [a, b, a, c]) assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  assert.equal(cache.size, 2);
  assert.equal(codeOf(cache.judgeResumed(leafOf(a), trust, NOW)), 'identified');
  assert.equal(codeOf(cache.judgeResumed(leafOf(c), trust, NOW)), 'identified');
  assert.equal(codeOf(cache.judgeResumed(leafOf(b), trust, NOW)), 'peer_resumption_unverified');
});

test('a leaf that came with another chain was used as well', () => {
  const cache = createVerdictCache(2, AS_CLIENT);
  const [a, b, c] = [issue('a'), issue('b'), issue('c')];
  for (const chain of [a, b, [...a, root.certificate.der], c]) cache.judge(chain, trust, NOW);
  assert.equal(codeOf(cache.judgeResumed(leafOf(a), trust, NOW)), 'identified');
  assert.equal(codeOf(cache.judgeResumed(leafOf(b), trust, NOW)), 'peer_resumption_unverified');
});

test('a chain of over 32 KiB is judged each time and not kept', () => {
  const cache = createVerdictCache(2, AS_CLIENT);
  const value = Buffer.concat([Buffer.from([0x04, 0x82, 0x90, 0x00]), Buffer.alloc(0x9000)]);
  const chain = root.issue({ keys, extensions: [{ oid: '1.2.3', critical: false, value }] }).chain;
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  assert.equal(cache.size, 0);
});

test('a resumed session has the verdict of the handshake its leaf was in', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  const full = cache.judge(chain, trust, NOW);
  assert.equal(cache.judgeResumed(Uint8Array.from(leafOf(chain)), trust, NOW + MINUTE), full);
});

test('a resumed session of a leaf that was never judged is refused, a leaf of the root itself too', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const direct = root.issue({ keys }).der;
  const verdict = cache.judgeResumed(direct, trust, NOW);
  assert.equal(codeOf(verdict), 'peer_resumption_unverified');
  assert.equal(verdict.kind === 'rejected' ? verdict.claimedId : '', 'spiffe://example.org/agent');
  const garbage = cache.judgeResumed(Buffer.from('x'), trust, NOW);
  assert.equal(codeOf(garbage), 'peer_resumption_unverified');
  assert.equal(garbage.kind === 'rejected' ? garbage.claimedId : '', undefined);
});

test('a resumed session after the CA was removed, the leaf revoked or expired is refused with that reason', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const issued = middle.issue({ keys, notAfter: new Date(NOW + HOUR) });
  const resume = (store: typeof trust, atMs: number): string => {
    assert.equal(codeOf(cache.judge(issued.chain, trust, NOW)), 'identified');
    return codeOf(cache.judgeResumed(issued.der, store, atMs));
  };
  assert.equal(resume(trustIn([createAuthority()]), NOW), 'peer_chain_untrusted');
  assert.equal(
    resume(trustIn([root], [middle.crl({ revoked: [issued.serial] }).der]), NOW),
    'peer_certificate_revoked',
  );
  assert.equal(resume(trust, NOW + HOUR + 1000), 'peer_certificate_expired');
});

test('a resumed session after a change of trust that still includes its chain is judged anew and goes on', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a');
  const before = cache.judge(chain, trust, NOW);
  const after = cache.judgeResumed(leafOf(chain), trustIn([root, createAuthority()]), NOW);
  assert.equal(codeOf(after), 'identified');
  assert.notEqual(after, before);
  assert.deepEqual(after, before);
});

test('what is kept cannot be changed from outside', () => {
  const cache = createVerdictCache(10, AS_CLIENT);
  const chain = issue('a').map((bytes) => Uint8Array.from(bytes));
  const leaf = Uint8Array.from(leafOf(chain));
  assert.equal(codeOf(cache.judge(chain, trust, NOW)), 'identified');
  for (const bytes of chain) bytes.fill(0);
  assert.equal(codeOf(cache.judgeResumed(leaf, trustIn([root, createAuthority()]), NOW)), 'identified');
});

test('property: with a cache every verdict is what it would be without one', () => {
  const chains = ['a', 'b', 'c', 'd'].map(issue);
  const revoked = middle.issue({ keys });
  const stores = [trust, trustIn([]), trustIn([root], [middle.crl({ revoked: [revoked.serial] }).der])];
  const step = fc.record({
    chain: fc.constantFrom(...chains, revoked.chain),
    store: fc.constantFrom(...stores),
    minutes: fc.nat(60 * 30),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const cache = createVerdictCache(2, AS_CLIENT);
      for (const { chain, store, minutes } of steps) {
        const atMs = NOW + minutes * MINUTE;
        assert.deepEqual(cache.judge(chain, store, atMs), createVerdictCache(1, AS_CLIENT).judge(chain, store, atMs));
        assert.ok(cache.size <= 2);
      }
    }),
    { numRuns: 30 },
  );
});
