import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { concat } from '../../core/kernel/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainOf } from './domain-of.ts';
import { GRPC } from './grpc-status.ts';
import { writeX509SvidResponse } from './messages.ts';
import { bundlesOf, createStanding } from './served-trust.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { IssuerRefusal, ServedSvid, WorkloadIssuer } from './issuer.ts';
import type { Outbox } from './outbox.ts';
import type { Standing } from './served-trust.ts';

export type StreamDeps = {
  readonly issuer: WorkloadIssuer;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer: Timer;
  /** Something for the operator: an identity could not be had. */
  readonly onProblem: (detail: string) => void;
};

/** A stream that the server keeps up to date until it is closed. */
export interface ServedStream {
  start(): void;
  /** Trust or identities changed. */
  changed(): void;
  /** The caller is gone, or the server stops. Keys are forgotten. */
  close(): void;
}

/** Renewal at half of the lifetime, this much earlier or later, so that streams that began together do not renew together. */
const JITTER = 0.1;

/** Pauses after a renewal that failed, milliseconds; the SVID that is there stays until its end. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** The longest wait that timers take (2^31 - 1 ms); after it there is another look. */
const MAX_WAIT_MS = 2_147_483_647;

/** No life is so short that it is looked at more often. */
const LEAST_WAIT_MS = 100;

const DOES_NOT_STAND: IssuerRefusal = {
  kind: 'unavailable',
  detail: 'what was issued does not stand in the present trust bundle',
};

/** An SVID of this stream. */
type Held = { readonly svid: ServedSvid; readonly renewAtMs: number };

/** Creates the stream of `FetchX509SVID` for one caller: keys of its own, in memory, renewed; each message the whole state. */
export function createSvidStream(outbox: Outbox, deps: StreamDeps): ServedStream {
  return new SvidStream(outbox, deps);
}

class SvidStream implements ServedStream {
  readonly #outbox: Outbox;
  readonly #deps: StreamDeps;
  #held = new Map<SpiffeId, Held>();
  #failures = 0;
  #isBusy = false;
  #isDirty = false;
  #isClosed = false;
  #cancelTimer: () => void = () => undefined;
  #sent: string | undefined;
  /** What the operator heard last, so that a refusal is not told at every attempt. */
  #told: string | undefined;
  /** How many SVIDs were made: with trust and hints it tells whether the state is another one. */
  #generation = 0;

  constructor(outbox: Outbox, deps: StreamDeps) {
    this.#outbox = outbox;
    this.#deps = deps;
  }

  start(): void {
    this.changed();
  }

  changed(): void {
    this.#isDirty = true;
    if (!this.#isBusy) void this.#work();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#held.clear();
  }

  /** One round at a time; what changes meanwhile has a round of its own. */
  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#isDirty && !this.#isClosed) {
      this.#isDirty = false;
      await this.#round();
    }
    this.#isBusy = false;
  }

  async #round(): Promise<void> {
    this.#cancelTimer();
    const refusals = await this.#renew();
    if (this.#isClosed || this.#isDirty) return;
    if (this.#held.size === 0) {
      this.#outbox.end(refusalOf(refusals));
      this.close();
      return;
    }
    this.#publish(this.#deps.issuer.trust());
    this.#failures = refusals.length === 0 ? 0 : this.#failures + 1;
    this.#wait();
  }

  /** Makes anew what is missing, due, or no longer stands; forgets what is over or not ours any more. */
  async #renew(): Promise<readonly IssuerRefusal[]> {
    const { issuer, clock } = this.#deps;
    const stands = createStanding(issuer.trust());
    const refusals: IssuerRefusal[] = [];
    const held = new Map<SpiffeId, Held>();
    for (const { spiffeId } of issuer.identities()) {
      const now = clock.wallMs();
      const there = this.#held.get(spiffeId);
      const isUsable = there !== undefined && now < there.svid.notAfterMs && stands(there.svid.chain, now);
      if (isUsable && now < there.renewAtMs) {
        held.set(spiffeId, there);
        continue;
      }
      const made = await this.#make(spiffeId, stands);
      if (made.ok) held.set(spiffeId, made.value);
      else refusals.push(made.error);
      if (!made.ok && made.error.kind === 'unavailable' && isUsable) held.set(spiffeId, there);
    }
    this.#held = this.#isClosed ? new Map() : held;
    return refusals;
  }

  async #make(spiffeId: SpiffeId, stands: Standing): Promise<Result<Held, IssuerRefusal>> {
    const { issuer, clock, random } = this.#deps;
    const made = await issuer.svid(spiffeId);
    const now = clock.wallMs();
    if (made.ok && stands(made.value.chain, now)) {
      this.#generation += 1;
      const half = (made.value.notAfterMs - now) / 2;
      return ok({ svid: made.value, renewAtMs: now + between(half * (1 - JITTER), half * (1 + JITTER), random) });
    }
    const refusal: IssuerRefusal = made.ok ? DOES_NOT_STAND : made.error;
    this.#tell(`no SVID for ${spiffeId}: ${refusal.detail}`);
    return err(refusal);
  }

  #tell(problem: string): void {
    if (problem === this.#told) return;
    this.#told = problem;
    this.#deps.onProblem(problem);
  }

  /** The whole state, where it is another than the last one. */
  #publish(trust: TrustDocument): void {
    const identities = this.#deps.issuer.identities().filter(({ spiffeId }) => this.#held.has(spiffeId));
    const state = JSON.stringify([trust.revision, this.#generation, identities]);
    if (state === this.#sent) return;
    this.#sent = state;
    const own = new Set(identities.map(({ spiffeId }) => domainOf(spiffeId)));
    const svids = identities.flatMap(({ spiffeId, hint }) => {
      const { svid } = this.#held.get(spiffeId) ?? {};
      if (svid === undefined) return [];
      const x509SvidKey = svid.privateKey.export({ type: 'pkcs8', format: 'der' });
      const bundle = concat(trust.bundles.get(domainOf(spiffeId)) ?? []);
      return [{ spiffeId, x509Svid: concat(svid.chain), x509SvidKey, bundle, hint }];
    });
    this.#outbox.send(writeX509SvidResponse({ svids, crls: trust.crls, federatedBundles: bundlesOf(trust, own) }));
  }

  #wait(): void {
    const { clock, random, timer } = this.#deps;
    const now = clock.wallMs();
    const retryMs =
      this.#failures === 0 ? MAX_WAIT_MS : backOffMs(this.#failures, FIRST_RETRY_MS, LAST_RETRY_MS, random);
    const dueMs = [...this.#held.values()].map(({ svid, renewAtMs }) =>
      renewAtMs > now ? renewAtMs - now : svid.notAfterMs - now,
    );
    const waitMs = Math.max(LEAST_WAIT_MS, Math.min(retryMs, ...dueMs));
    this.#cancelTimer = timer(waitMs, () => this.changed());
  }
}

function refusalOf(refusals: readonly IssuerRefusal[]): { readonly code: number; readonly message: string } {
  return refusals.some(({ kind }) => kind === 'unavailable')
    ? { code: GRPC.unavailable, message: 'no identity can be issued now' }
    : { code: GRPC.permissionDenied, message: 'no identity issued' };
}
