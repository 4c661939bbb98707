import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import * as fc from 'fast-check';

import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { createJoinToken } from '../../../src/io/authority/join-token.ts';
import { countPending } from '../../../src/io/authority/record-rows.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import {
  AGENT,
  createAuthorityWorld,
  DAY,
  HOUR,
  newCsr,
  NO_LIMITS,
  OWN_ID,
  valueOf,
} from '../../support/authority-world.ts';
import { extension, generalName } from '../../support/pki-certificate.ts';
import { asking, rawCsr } from '../../support/raw-csr.ts';
import { systemRandom } from '../../support/system-clock.ts';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { Attestation, IssuanceFault } from '../../../src/core/model/svid.ts';
import type { IssuedSvid, IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';

const SOURCE = '192.0.2.7';

/** `issued`, or the kind of the fault. */
function outcome(result: Result<IssuedSvid, IssuanceFault>): string {
  return result.ok ? 'issued' : result.error.kind;
}

async function ask(authority: IssuingAuthority, attestation: Attestation): Promise<Result<IssuedSvid, IssuanceFault>> {
  return authority.issue(attestation, await newCsr(), SOURCE);
}

/** A request that asks for this URI. */
function csrFor(uri: string): Uint8Array {
  return rawCsr(asking(extension.subjectAltName([generalName.uri(uri)])));
}

function pod(namespace: string, serviceAccount: string, uid = 'u-1'): Attestation {
  return { kind: 'kubernetes', namespace, serviceAccount, pod: { name: 'p', uid } };
}

function certificate({ spiffeId, serial }: IssuedSvid): Attestation {
  return { kind: 'certificate', spiffeId, serial };
}

type LogLine = { readonly event: string; readonly sallyport: Readonly<Record<string, string>> };

/** The records of calls of `issue`, after the authority moved them to its log. */
async function records(folder: string): Promise<readonly LogLine[]> {
  const text = await readFile(join(folder, 'issuance.jsonl'), 'utf8');
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);
  return lines.filter(({ event, sallyport }) => /^(?:issued|refused)$/.test(event) && sallyport['method'] !== 'own');
}

describe('a join token', () => {
  test('gives one certificate for its ID, which peers accept under the published trust, lists required', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const svid = valueOf(await ask(authority, world.token()));
    assert.equal(svid.spiffeId, AGENT);
    assert.equal(svid.notAfterMs - world.clock.wallMs(), HOUR);
    const { bundles, crls } = authority.trust();
    const trust = valueOf(createTrustStore(bundles, crls));
    for (const purpose of ['client', 'server'] as const) {
      const verdict = verifyPeer(svid.chain, trust, world.clock.wallMs(), { purpose, requireCrl: true });
      assert.equal(verdict.kind, 'identified', JSON.stringify(verdict));
    }
    assert.equal(authority.isGood(svid.serial), true);
  });

  test('serves once', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    const csr = await newCsr();
    assert.equal(outcome(await authority.issue(token, csr, SOURCE)), 'issued');
    assert.equal(outcome(await authority.issue(token, csr, SOURCE)), 'caller_refused');
  });

  test('serves once, however many ask at the same moment', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    const csrs = await Promise.all(Array.from({ length: 10 }, newCsr));
    const outcomes = await Promise.all(csrs.map(async (csr) => outcome(await authority.issue(token, csr, SOURCE))));
    assert.deepEqual(outcomes.toSorted(), [...Array<string>(9).fill('caller_refused'), 'issued']);
  });

  test('serves once, whichever of two authorities over one folder is asked', async (context) => {
    const world = await createAuthorityWorld(context);
    const authorities = [await world.run(), await world.run()];
    const token = world.token();
    const outcomes = await Promise.all(authorities.map(async (one) => outcome(await ask(one, token))));
    assert.deepEqual(outcomes.toSorted(), ['caller_refused', 'issued']);
  });

  test('is not spent by a request that was refused for another reason', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    const csr = await newCsr();
    const forged = Uint8Array.from(csr, (byte, at) => (at === csr.length - 1 ? byte ^ 1 : byte));
    assert.equal(outcome(await authority.issue(token, new Uint8Array(10), SOURCE)), 'csr_malformed');
    assert.equal(outcome(await authority.issue(token, forged, SOURCE)), 'csr_signature_invalid');
    assert.equal(outcome(await authority.issue(token, csr, SOURCE)), 'issued');
  });

  test('is not spent by a request for more: each is refused by name and on record, and the ID itself may be asked for', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    for (const csr of [rawCsr(asking(extension.basicConstraints(true, 0))), csrFor(OWN_ID)])
      assert.equal(outcome(await authority.issue(token, csr, SOURCE)), 'csr_asks_for_more');
    const svid = valueOf(await authority.issue(token, csrFor(AGENT), SOURCE));
    assert.equal(svid.spiffeId, AGENT);
    await authority.stop();
    assert.deepEqual(
      (await records(world.folder)).map(({ event, sallyport }) => [event, sallyport['fault'], sallyport['spiffe_id']]),
      [
        ['refused', 'csr_asks_for_more', undefined],
        ['refused', 'csr_asks_for_more', AGENT],
        ['issued', undefined, AGENT],
      ],
    );
  });

  test('ends when it expires, to the millisecond', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const [late, last] = [world.token(AGENT, 10_000), world.token(AGENT, 10_001)];
    world.clock.advance(10_000);
    assert.deepEqual(
      [outcome(await ask(authority, late)), outcome(await ask(authority, last))],
      ['caller_refused', 'issued'],
    );
  });

  test('is found in neither database nor log', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    assert.equal(token.kind, 'join-token');
    await ask(authority, token);
    await ask(authority, token);
    await authority.stop();
    for (const file of ['authority.db', 'authority.db-wal', 'issuance.jsonl']) {
      const bytes = await readFile(join(world.folder, file));
      assert.equal(bytes.includes(token.kind === 'join-token' ? token.token.slice(4, 30) : '?'), false, file);
    }
  });

  test('that nobody made is refused, whatever it looks like', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const csr = await newCsr();
    const strange = fc.oneof(
      fc.string(),
      fc.base64String().map((text) => `sp1_${text}`),
      fc.stringMatching(/^sp1_[\w-]{43}$/),
    );
    await fc.assert(
      fc.asyncProperty(strange, async (token) => {
        return outcome(await authority.issue({ kind: 'join-token', token }, csr, SOURCE)) === 'caller_refused';
      }),
      { numRuns: 40 },
    );
  });

  test('is not made for another domain, for no workload, or for a life that is none', async (context) => {
    const world = await createAuthorityWorld(context);
    const make = (spiffeId: string, ttlMs: number): string => {
      const made = createJoinToken(world.store, { spiffeId, ttlMs }, world.deps);
      return made.ok ? 'made' : made.error;
    };
    assert.match(make('spiffe://other.org/agent', HOUR), /of other\.org, the authority of example\.org/);
    assert.match(make('spiffe://example.org', HOUR), /without path/);
    assert.match(make('https://example.org/x', HOUR), /scheme/);
    for (const ttlMs of [0, -1, 999, 8 * DAY, Number.NaN, Number.POSITIVE_INFINITY])
      assert.match(make(AGENT, ttlMs), /from a second to a week/);
  });

  test('has a form of its own and 256 random bits', async (context) => {
    const world = await createAuthorityWorld(context);
    const { token } = valueOf(
      createJoinToken(world.store, { spiffeId: AGENT, ttlMs: HOUR }, { ...world.deps, random: systemRandom }),
    );
    assert.match(token, /^sp1_[A-Za-z0-9_-]{43}$/);
  });
});

describe('a certificate', () => {
  test('renews itself: the same ID, another serial, and both are good', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const first = valueOf(await ask(authority, world.token()));
    const second = valueOf(await ask(authority, certificate(first)));
    assert.equal(second.spiffeId, first.spiffeId);
    assert.notEqual(second.serial, first.serial);
    assert.deepEqual(
      [first, second].map(({ serial }) => authority.isGood(serial)),
      [true, true],
    );
  });

  test('of a workload, or a service account, that is configured no more does not renew', async (context) => {
    const world = await createAuthorityWorld(context);
    const before = await world.run();
    const callers: readonly Attestation[] = [
      { kind: 'workload', spiffeId: AGENT },
      { kind: 'kubernetes', namespace: 'agents', serviceAccount: 'researcher', pod: undefined },
      pod('open', 'x'),
    ];
    const first = await Promise.all(callers.map(async (caller) => valueOf(await ask(before, caller))));
    const byToken = valueOf(await ask(before, world.token()));
    const outcomes = async (authority: IssuingAuthority): Promise<readonly string[]> =>
      Promise.all([...first, byToken].map(async (svid) => outcome(await ask(authority, certificate(svid)))));
    assert.deepEqual(await outcomes(before), ['issued', 'issued', 'issued', 'issued']);
    await before.stop();
    const fewer = await world.run({
      workloads: [],
      kubernetes: { template: 'spiffe://example.org/ns/{namespace}/sa/{serviceAccount}', namespaces: { open: ['*'] } },
    });
    assert.deepEqual(await outcomes(fewer), ['caller_refused', 'caller_refused', 'issued', 'issued']);
    await fewer.stop();
    const none = await world.run({ kubernetes: undefined });
    assert.deepEqual(await outcomes(none), ['issued', 'caller_refused', 'caller_refused', 'issued']);
  });

  test('an authority does not take an ID that a member has a certificate for: the member could pass for it', async (context) => {
    const world = await createAuthorityWorld(context);
    const before = await world.run();
    const { serial } = valueOf(await ask(before, world.token()));
    await before.stop();
    await assert.rejects(
      world.run({ ownId: AGENT }),
      /1 certificate in force for .*researcher.*not the authority's own/,
    );
    valueOf(revoke(world.store, { which: { serial }, reason: 'x', bar: false }, world.deps));
    const after = await world.run({ ownId: AGENT });
    await after.stop();
    await world.run({ ownId: AGENT });
  });

  test('renews with the same key, and with another', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const csr = await createCsr(generateKeyPair('ed25519').privateKey);
    const first = valueOf(await authority.issue(world.token(), csr, SOURCE));
    const same = valueOf(await authority.issue(certificate(first), csr, SOURCE));
    assert.equal(same.spkiSha256, first.spkiSha256);
    assert.notEqual(valueOf(await ask(authority, certificate(same))).spkiSha256, first.spkiSha256);
  });

  test('gives no other ID, unknown or of somebody else', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const svid = valueOf(await ask(authority, world.token()));
    const other = {
      ...certificate(svid),
      spiffeId: 'spiffe://example.org/ns/agents/sa/planner' as SpiffeId,
    } as Attestation;
    assert.equal(outcome(await ask(authority, other)), 'caller_refused');
    assert.equal(
      outcome(await ask(authority, { kind: 'certificate', spiffeId: AGENT, serial: 'abc' })),
      'caller_refused',
    );
  });

  test('that has ended neither renews nor is good', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const svid = valueOf(await ask(authority, world.token()));
    world.clock.advance(HOUR);
    assert.equal(authority.isGood(svid.serial), true);
    world.clock.advance(1);
    assert.equal(authority.isGood(svid.serial), false);
    assert.equal(outcome(await ask(authority, certificate(svid))), 'caller_refused');
  });

  test('of the authority itself gives nobody its ID', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ workloads: [OWN_ID] });
    assert.equal(outcome(await ask(authority, certificate(authority.own().svid))), 'id_refused');
    assert.equal(outcome(await ask(authority, world.token(OWN_ID))), 'id_refused');
    assert.equal(outcome(await ask(authority, { kind: 'workload', spiffeId: OWN_ID })), 'id_refused');
  });
});

describe('a service account', () => {
  test('gets the ID of the template where it is listed, and is refused elsewhere', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    assert.equal(valueOf(await ask(authority, pod('agents', 'researcher'))).spiffeId, AGENT);
    assert.equal(valueOf(await ask(authority, pod('open', 'any'))).spiffeId, 'spiffe://example.org/ns/open/sa/any');
    for (const [namespace, account] of [
      ['agents', 'other'],
      ['kube-system', 'default'],
      ['__proto__', 'x'],
      ['constructor', 'x'],
    ] as const) {
      assert.match(outcome(await ask(authority, pod(namespace, account))), /^(?:id|caller)_refused$/, namespace);
    }
  });

  test('is refused where nobody enrols that way', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ kubernetes: undefined });
    assert.equal(outcome(await ask(authority, pod('agents', 'researcher'))), 'caller_refused');
  });

  test('puts nothing into an ID but names of Kubernetes', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({
      kubernetes: { template: 'spiffe://example.org/ns/{namespace}/sa/{serviceAccount}', namespaces: { '*': ['*'] } },
    });
    const csr = await newCsr();
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('..', 'a.b', 'a/b', '{serviceAccount}', '%2e', 'A', 'a\n', '', '-a', '*'),
    );
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (namespace, account) => {
        const issued = await authority.issue(pod(namespace, account), csr, SOURCE);
        const isName =
          /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(namespace) && /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(account);
        return issued.ok
          ? isName && issued.value.spiffeId === `spiffe://example.org/ns/${namespace}/sa/${account}`
          : !isName;
      }),
      { numRuns: 60 },
    );
  });

  test('gets no ID of another domain, whatever the template says', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({
      kubernetes: { template: 'spiffe://{namespace}/x', namespaces: { '*': ['*'] } },
    });
    assert.equal(outcome(await ask(authority, pod('other', 'a'))), 'id_refused');
  });
});

test('a local workload gets the IDs that are configured and no others', async (context) => {
  const world = await createAuthorityWorld(context);
  const authority = await world.run();
  assert.equal(outcome(await ask(authority, { kind: 'workload', spiffeId: AGENT })), 'issued');
  assert.equal(outcome(await ask(authority, { kind: 'workload', spiffeId: `${AGENT}2` as SpiffeId })), 'id_refused');
  assert.deepEqual(authority.workloads(), [AGENT]);
});

describe('limits', () => {
  test('of a source come before anything else, those of an ID after the right and before the signature', async (context) => {
    const world = await createAuthorityWorld(context);
    const asked: string[] = [];
    const authority = await world.run(undefined, {
      takeSource: (source) => asked.push(`source ${source}`) !== 2,
      takeId: (id) => asked.push(`id ${id}`) > 5,
    });
    const token = world.token();
    assert.equal(
      outcome(await authority.issue({ kind: 'join-token', token: 'x' }, await newCsr(), SOURCE)),
      'caller_refused',
    );
    assert.equal(outcome(await ask(authority, token)), 'rate_limited');
    assert.equal(outcome(await ask(authority, token)), 'rate_limited');
    assert.equal(outcome(await ask(authority, token)), 'issued');
    const source = `source ${SOURCE}`;
    assert.deepEqual(asked, [source, source, source, `id ${AGENT}`, source, `id ${AGENT}`]);
  });
});

describe('every call', () => {
  test('has exactly one record, that says who, how and why, and comes before the answer', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run(undefined, { ...NO_LIMITS, takeSource: (source) => source !== 'noisy' });
    const token = world.token();
    const svid = valueOf(await ask(authority, token));
    await Promise.all([
      ask(authority, token),
      authority.issue(token, new Uint8Array(3), SOURCE),
      authority.issue(token, new Uint8Array(3), 'noisy'),
      ask(authority, pod('kube-system', 'default')),
      ask(authority, certificate(svid)),
    ]);
    // All are in the database when the answers are: another process finds them there.
    await authority.stop();
    const found = await records(world.folder);
    assert.deepEqual(
      found.map(({ event, sallyport }) => `${event} ${sallyport['method']} ${sallyport['fault'] ?? ''}`).toSorted(),
      [
        'issued certificate ',
        'issued join-token ',
        'refused join-token caller_refused',
        'refused join-token csr_malformed',
        'refused join-token rate_limited',
        'refused kubernetes id_refused',
      ],
    );
    const [first] = found;
    assert.equal(first?.sallyport['serial'], svid.serial);
    assert.equal(first?.sallyport['spiffe_id'], AGENT);
    assert.equal(first?.sallyport['source'], SOURCE);
    assert.equal(found.find(({ sallyport }) => sallyport['renews'] !== undefined)?.sallyport['renews'], svid.serial);
    const kubernetes = found.find(({ sallyport }) => sallyport['method'] === 'kubernetes')?.sallyport;
    assert.deepEqual([kubernetes?.['service_account'], kubernetes?.['pod_uid']], ['kube-system/default', 'u-1']);
  });

  test('that is refused has its record on the disk when the answer comes: another process finds it', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const pending = (): number => valueOf(world.store.read(countPending));
    const before = pending();
    await ask(authority, pod('x', 'y'));
    assert.equal(pending(), before + 1);
    await ask(authority, pod('agents', 'researcher'));
    assert.equal(pending(), before + 2);
  });

  test('is counted', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    await ask(authority, world.token());
    await ask(authority, pod('x', 'y'));
    const { issued, refused, living, problem } = authority.figures();
    // The authority's own certificate lives too.
    assert.deepEqual([issued, refused, living, problem], [1, { id_refused: 1 }, 2, undefined]);
  });

  test('after the end is refused', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    await authority.stop();
    assert.equal(outcome(await ask(authority, world.token())), 'store_unavailable');
    assert.equal(authority.isGood('1'), false);
  });
});
