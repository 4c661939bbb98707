import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { verifyLogFiles } from '../../../src/cli/verify-log-files.ts';
import { parseCrl } from '../../../src/core/identity/crl.ts';
import { liftBar, revoke } from '../../../src/io/authority/revoking.ts';
import { createAuthorityWorld, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';
import { crlNumber } from '../../support/crl-number.ts';

import type { TestContext } from 'node:test';
import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import type { Attestation } from '../../../src/core/model/svid.ts';
import type { IssuedSvid, IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

/** What may happen to an authority; numbers choose among what there is. */
type Step =
  | { readonly kind: 'token'; readonly id: number; readonly ttlMs: number }
  | { readonly kind: 'enrol' | 'renew' | 'revoke'; readonly which: number }
  | { readonly kind: 'revoke-id'; readonly id: number; readonly bar: boolean }
  | { readonly kind: 'lift' | 'local'; readonly id: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'restart' };

const id = fc.nat(2);
const which = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('token' as const), id, ttlMs: fc.constantFrom(60_000, 2 * HOUR) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('enrol', 'renew', 'revoke'), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke-id' as const), id, bar: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('local' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lift' as const), id }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(30_000, HOUR / 2, HOUR) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

const IDS = ['a', 'b', 'c'].map((name) => `spiffe://example.org/${name}` as SpiffeId);

type KnownToken = { readonly attestation: Attestation; readonly id: SpiffeId; readonly endMs: number; open: boolean };
/** `local`: it goes back to a local workload; `from`: what it renews. */
type KnownCertificate = {
  readonly svid: IssuedSvid;
  readonly local: boolean;
  readonly from: KnownCertificate | undefined;
  revoked: boolean;
};

/** The rules in their plainest form, beside an authority that has to agree with them at each step. */
class Model {
  readonly #world: AuthorityWorld;
  readonly #tokens: KnownToken[] = [];
  readonly #certificates: KnownCertificate[] = [];
  readonly #barred = new Set<SpiffeId>();
  readonly #barredLocals = new Set<SpiffeId>();
  #authority: IssuingAuthority;
  #number = 0;

  constructor(world: AuthorityWorld, authority: IssuingAuthority) {
    this.#world = world;
    this.#authority = authority;
  }

  async take(one: Step): Promise<void> {
    const { clock, store, deps } = this.#world;
    switch (one.kind) {
      case 'token':
        this.#makeToken(IDS[one.id] ?? IDS[0], one.ttlMs);
        break;
      case 'enrol':
        await this.#enrol(this.#tokens[one.which % this.#tokens.length]);
        break;
      case 'renew':
        await this.#renew(this.#certificates[one.which % this.#certificates.length]);
        break;
      case 'revoke':
        this.#revoke(this.#certificates[one.which % this.#certificates.length]);
        break;
      case 'revoke-id':
        this.#revokeId(IDS[one.id] ?? IDS[0], one.bar);
        break;
      case 'lift': {
        const spiffeId = IDS[one.id] ?? IDS[0];
        assert.equal(liftBar(store, 'id', String(spiffeId), deps).ok, this.#barred.delete(spiffeId as SpiffeId));
        break;
      }
      case 'local':
        await this.#local(IDS[one.id]);
        break;
      case 'pass':
        clock.advance(one.ms);
        break;
      case 'restart':
        await this.#authority.stop();
        this.#authority = await this.#world.run({ workloads: IDS });
        break;
      default:
        one satisfies never;
    }
    for (const known of this.#certificates)
      assert.equal(this.#authority.isGood(known.svid.serial), this.#isGood(known));
  }

  /** After a look, the list says what was revoked and is in force, under a greater number than any before. */
  async checkList(): Promise<void> {
    await this.#world.look();
    const [der = new Uint8Array()] = this.#authority.trust().crls;
    const { revoked } = valueOf(parseCrl(der));
    const nowMs = this.#world.clock.wallMs();
    for (const known of this.#certificates) {
      if (known.svid.notAfterMs >= nowMs) assert.equal(revoked.has(known.svid.serial), known.revoked);
    }
    assert.ok(crlNumber(der) >= this.#number);
    this.#number = crlNumber(der);
  }

  async end(): Promise<void> {
    await this.#authority.stop();
    const verdict = await verifyLogFiles([join(this.#world.folder, 'issuance.jsonl')]);
    assert.equal(verdict.kind === 'sound' ? verdict.lost + verdict.torn + verdict.joined : -1, 0);
  }

  #isGood({ svid, revoked }: KnownCertificate): boolean {
    return !revoked && svid.notAfterMs >= this.#world.clock.wallMs();
  }

  #makeToken(spiffeId: SpiffeId | undefined, ttlMs: number): void {
    if (spiffeId === undefined) return;
    if (this.#barred.has(spiffeId)) {
      assert.throws(() => this.#world.token(spiffeId, ttlMs), /barred/);
      return;
    }
    const endMs = this.#world.clock.wallMs() + ttlMs;
    this.#tokens.push({ attestation: this.#world.token(spiffeId, ttlMs), id: spiffeId, endMs, open: true });
  }

  async #enrol(token: KnownToken | undefined): Promise<void> {
    if (token === undefined) return;
    const isValid = token.open && this.#world.clock.wallMs() < token.endMs;
    const expected = isValid ? (this.#barred.has(token.id) ? 'id_refused' : 'issued') : 'caller_refused';
    await this.#ask(token.attestation, token.id, expected);
    if (expected === 'issued') token.open = false;
  }

  async #renew(known: KnownCertificate | undefined): Promise<void> {
    if (known === undefined) return;
    const { spiffeId, serial } = known.svid;
    const expected = this.#isGood(known) ? (this.#barred.has(spiffeId) ? 'id_refused' : 'issued') : 'caller_refused';
    await this.#ask({ kind: 'certificate', spiffeId, serial }, spiffeId, expected, known.local, known);
  }

  async #local(spiffeId: SpiffeId | undefined): Promise<void> {
    if (spiffeId === undefined) return;
    const barred = this.#barredLocals.has(spiffeId) ? 'caller_refused' : 'issued';
    const expected = this.#barred.has(spiffeId) ? 'id_refused' : barred;
    await this.#ask({ kind: 'workload', spiffeId }, spiffeId, expected, true);
  }

  async #ask(
    attestation: Attestation,
    spiffeId: SpiffeId,
    expected: string,
    local = false,
    from?: KnownCertificate,
  ): Promise<void> {
    const issued = await this.#authority.issue(attestation, await newCsr(), '192.0.2.7');
    assert.equal(issued.ok ? 'issued' : issued.error.kind, expected);
    if (!issued.ok) return;
    assert.equal(issued.value.spiffeId, spiffeId);
    assert.equal(
      this.#certificates.some(({ svid }) => svid.serial === issued.value.serial),
      false,
    );
    this.#certificates.push({ svid: issued.value, local, from, revoked: false });
  }

  #revoke(known: KnownCertificate | undefined): void {
    if (known === undefined) return;
    const request = { which: { serial: known.svid.serial }, reason: 'x', bar: false };
    const good = this.#certificates.filter((other) => this.#isGood(other) && comesFrom(other, known));
    assert.equal(revoke(this.#world.store, request, this.#world.deps).ok, good.length > 0);
    for (const other of good) this.#cut(other);
  }

  #cut(known: KnownCertificate): void {
    known.revoked = true;
    if (known.local) this.#barredLocals.add(known.svid.spiffeId);
  }

  #revokeId(spiffeId: SpiffeId | undefined, bar: boolean): void {
    if (spiffeId === undefined) return;
    const good = this.#certificates.filter((known) => known.svid.spiffeId === spiffeId && this.#isGood(known));
    const open = this.#tokens.filter((token) => token.id === spiffeId && token.open);
    const isNew = bar && !this.#barred.has(spiffeId);
    const done = revoke(this.#world.store, { which: { spiffeId }, reason: 'x', bar }, this.#world.deps);
    assert.equal(done.ok, good.length + open.length > 0 || isNew);
    for (const known of good) this.#cut(known);
    for (const token of open) token.open = false;
    if (bar) this.#barred.add(spiffeId);
  }
}

function comesFrom(one: KnownCertificate | undefined, ancestor: KnownCertificate): boolean {
  return one !== undefined && (one === ancestor || comesFrom(one.from, ancestor));
}

async function live(context: TestContext, steps: readonly Step[]): Promise<void> {
  const world = await createAuthorityWorld(context);
  const model = new Model(world, await world.run({ workloads: IDS }));
  for (const [index, one] of steps.entries()) {
    await model.take(one);
    if (index % 5 === 4) await model.checkList();
  }
  await model.checkList();
  await model.end();
}

test('whatever happens to an authority, in whatever order: it agrees with the plain rules at every step', async (context) => {
  const lives = fc.array(step, { minLength: 10, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(lives, (steps) => live(context, steps)),
    { numRuns: 25 },
  );
});
