import { createHash } from 'node:crypto';

import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { judgeTrustAndOwn } from './identity-join.ts';
import { systemTimer } from './timer.ts';

import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Source } from './follower.ts';
import type {
  CreateWorkloadApiClient,
  IdentityPart,
  PartWatch,
  WorkloadApiClient,
  WorkloadSvid,
  WorkloadUpdate,
} from './identity-part.ts';
import type { Problems } from './problem.ts';

/** `id`: which of several identities is ours; default: the first one, which the server means to be the default (SPIFFE_Workload_API 5.2.1). */
export type WorkloadPartSettings = { readonly id?: SpiffeId | undefined };

export type WorkloadPartDeps = {
  readonly client: CreateWorkloadApiClient;
  readonly clock: Clock;
  readonly timer?: Timer | undefined;
};

/** A start waits so long for the first word of the server, milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * Creates the part of an identity that a Workload API gives: our certificate and key, the bundle of our trust domain, those it federates, revocation lists. Every
 * message is the whole state: an identity that is not in it any more was withdrawn and ends at once, without waiting for its expiry; a bundle that is gone is believed
 * no more (SPIFFE_Workload_API 5.2.1). While the server cannot be reached what it said last stays, until it expires.
 */
export function createWorkloadPart(
  settings: WorkloadPartSettings,
  deps: WorkloadPartDeps & PartWatch,
): Source<IdentityPart> {
  return new WorkloadPart(settings, deps);
}

class WorkloadPart implements Source<IdentityPart> {
  readonly #settings: WorkloadPartSettings;
  readonly #deps: WorkloadPartDeps & PartWatch;
  readonly #client: WorkloadApiClient;
  readonly #heard = Promise.withResolvers<undefined>();
  #current: IdentityPart | undefined;
  #digest: string | undefined;
  #ofStream: Problems = [];
  #ofUpdate: Problems = [];
  #problem: Problems | undefined;
  #stopped = false;

  constructor(settings: WorkloadPartSettings, deps: WorkloadPartDeps & PartWatch) {
    this.#settings = settings;
    this.#deps = deps;
    this.#client = deps.client({
      onUpdate: (update) => this.#update(update),
      onProblem: (problem) => this.#streamProblem(problem),
    });
  }

  get current(): IdentityPart | undefined {
    return this.#current;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    const cancel = (this.#deps.timer ?? systemTimer)(PATIENCE_MS, () => this.#heard.resolve(undefined));
    this.#client.start();
    await this.#heard.promise;
    cancel();
  }

  reload(): Promise<void> {
    this.#client.reload();
    return Promise.resolve();
  }

  stop(): void {
    this.#stopped = true;
    this.#heard.resolve(undefined);
    void this.#client.stop();
  }

  #streamProblem(problem: string | undefined): void {
    if (this.#stopped) return;
    this.#ofStream = problem === undefined ? [] : [problem];
    this.#tell();
    if (problem !== undefined) this.#heard.resolve(undefined);
  }

  #update(update: WorkloadUpdate): void {
    if (this.#stopped) return;
    const svid = this.#choose(update.svids);
    const part = svid.ok ? this.#judge(svid.value, update) : ok(WITHDRAWN);
    this.#ofUpdate = svid.ok ? (part.ok ? [] : part.error) : svid.error;
    if (part.ok) this.#bring(part.value);
    this.#tell();
    this.#heard.resolve(undefined);
  }

  #choose(svids: WorkloadUpdate['svids']): Result<WorkloadSvid, Problems> {
    const { id } = this.#settings;
    const svid = id === undefined ? svids[0] : svids.find(({ spiffeId }) => spiffeId === id);
    if (svid !== undefined) return ok(svid);
    if (svids.length === 0) return err(['the Workload API has no identity for us any more']);
    const given = svids.map(({ spiffeId }) => spiffeId).slice(0, MAX_NAMED);
    return err([`the Workload API has no identity ${id} for us; it has ${given.join(', ')}`]);
  }

  /** All of a message or nothing of it: what is wrong with any part leaves the one before in force. */
  #judge(svid: WorkloadSvid, { crls, federated }: WorkloadUpdate): Result<IdentityPart, Problems> {
    const { spiffeId, chain, privateKey, bundle } = svid;
    const id = parseSpiffeId(spiffeId);
    if (!id.ok) return err([id.error.detail]);
    const { trustDomain } = id.value;
    // The bundle that comes with the identity is the one that this trust domain has (X509SVID.bundle).
    const bundles = new Map<TrustDomain, readonly Uint8Array[]>([...federated, [trustDomain, bundle]]);
    const own = { chain, privateKey };
    const judged = judgeTrustAndOwn({ own, bundles, crls }, this.#deps.clock.wallMs(), trustDomain);
    if (!judged.ok) return judged;
    if (judged.value.spiffeId !== spiffeId)
      return err([`the certificate is for ${judged.value.spiffeId}, and the message says ${spiffeId}`]);
    return ok(Object.freeze({ own, bundles, crls, warnings: [] }));
  }

  /** A message that says again what is in force is no change. */
  #bring(part: IdentityPart): void {
    const digest = digestOf(part);
    if (digest === this.#digest) return;
    const isFirst = this.#digest === undefined;
    this.#digest = digest;
    // Nothing was ever given, so nothing is withdrawn.
    if (isFirst && part === WITHDRAWN) return;
    this.#current = part;
    this.#deps.onChange(part);
  }

  #tell(): void {
    const all = [...this.#ofStream, ...this.#ofUpdate];
    const problem = all.length === 0 ? undefined : all;
    if (problem?.join('\n') === this.#problem?.join('\n')) return;
    this.#problem = problem;
    this.#deps.onProblem(problem);
  }
}

/** IDs that a problem names. */
const MAX_NAMED = 5;

/** The state in which nothing is ours and nobody is believed. */
const WITHDRAWN: IdentityPart = Object.freeze({ own: undefined, bundles: new Map(), crls: [], warnings: [] });

/** The same for maps in another order: that of a message has no meaning. The key is that of the leaf. */
function digestOf({ own, bundles, crls }: IdentityPart): string {
  const hash = createHash('sha256');
  const add = (name: string, ders: readonly Uint8Array[]): void => {
    hash.update(`${name} ${ders.length}\n`);
    for (const der of ders) hash.update(`${der.length}\n`).update(der);
  };
  add('own', own?.chain ?? []);
  for (const [domain, bundle] of [...bundles].sort(([a], [b]) => (a < b ? -1 : 1))) add(domain, bundle);
  add('lists', crls);
  return hash.digest('hex');
}
