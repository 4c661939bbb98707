import { sha256Hex } from '../../core/identity/bytes.ts';
import { openAuthorityStore } from './authority-store.ts';
import { domainOf, isPublished } from './ca-files.ts';
import { countImpostors, countLiving, livingCertificate, pruneCertificates } from './certificate-rows.ts';
import { createIssuer } from './issuer.ts';
import { plainKeyFiles } from './key-files.ts';
import { createPodKeeper } from './pod-keeper.ts';
import { prunePods } from './pod-rows.ts';
import { OwnIdentity } from './own-svid.ts';
import { createRecordKeeper } from './record-keeper.ts';
import { createSignerDesk } from './signer-desk.ts';
import { storedRoots } from './signer-rows.ts';
import { pruneTokens } from './token-rows.ts';
import { createTrustPublisher } from './trust-publisher.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { IssuedSvid } from '../../core/issuance/svid.ts';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Attestation, IssuanceFault, TrustDocument } from '../../core/model/svid.ts';
import type { AuthorityStore, StoreSettings } from './authority-store.ts';
import type { Issuer, IssuerSettings } from './issuer.ts';
import type { AuthorityFigures, IssuingAuthority, IssuingLimits, RefusedCaller } from './issuing-authority.ts';
import type { OpenCaKey } from './key-files.ts';
import type { OwnSvid } from './own-svid.ts';
import type { PodDirectory } from './pod-directory.ts';
import type { PodKeeper, PodKeeperSettings } from './pod-keeper.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { RightsSettings } from './rights.ts';
import type { SignerDesk } from './signer-desk.ts';
import type { TrustPublisher } from './trust-publisher.ts';

/** What an authority runs with. Durations in milliseconds. */
export type IssuingSettings = RightsSettings & {
  /** Where `initAuthority` made it. */
  readonly folder: string;
  /** Life of what is issued. Default one hour. */
  readonly leafTtlMs?: number | undefined;
  /** From one revocation list to the moment when the next is due; each is made anew at half of it. Default ten minutes. */
  readonly crlTtlMs?: number | undefined;
  /** DNS names in the authority's own certificate, for clients that go by names. Default none. */
  readonly dnsNames?: readonly string[] | undefined;
  /** Where the issuing key is, if not where it was written. */
  readonly issuingKey?: string | undefined;
  readonly store?: StoreSettings | undefined;
  /** How renewals of pods are tied to the pods; used where `pods` is given. Default: by their address, and a day without proof. */
  readonly podProof?: PodKeeperSettings | undefined;
};

export type IssuingAuthorityDeps = IssuanceDeps & {
  readonly limits: IssuingLimits;
  /** Runs an action once after that many milliseconds; the function it gives cancels it. */
  readonly timer: Timer;
  /** Opens CA keys. Default: unencrypted PEM files for their owner only. */
  readonly openKey?: OpenCaKey | undefined;
  /** Who is asked whether a pod still lives before its certificate is renewed. Default: nobody. */
  readonly pods?: PodDirectory | undefined;
};

const HOUR_MS = 3_600_000;
const DEFAULT_CRL_TTL_MS = 600_000;

/** How often to look whether another process changed the database, milliseconds. */
const LOOK_MS = 250;

/** SPIFFE Federation's default for asking again, milliseconds; sidecars of ours wait for changes instead. */
const REFRESH_HINT_MS = 300_000;

/** What has ended is kept this long, milliseconds, and forgotten so many at once. */
const KEEP_MS = 30 * 86_400_000;
const PRUNE_EVERY_MS = HOUR_MS;
const PRUNE_AT_ONCE = 1_000;

/** How far wall clock and monotonic clock may drift apart within an hour, milliseconds; beyond, the wall clock was set. */
const LEAP_MS = 60_000;

/** Creates an authority without effects. */
export function createIssuingAuthority(settings: IssuingSettings, deps: IssuingAuthorityDeps): IssuingAuthority {
  return new RunningAuthority(settings, deps);
}

/** What there is from `start` to `stop`. */
type Parts = {
  readonly store: AuthorityStore;
  readonly records: RecordKeeper;
  readonly desk: SignerDesk;
  readonly publisher: TrustPublisher;
  readonly issuer: Issuer;
  readonly own: OwnIdentity;
  readonly pods: PodKeeper | undefined;
};

const DEFAULT_POD_PROOF: PodKeeperSettings = { isAddressed: true, outageMs: 24 * HOUR_MS };

/** What an authority does by itself, and may fail at. `cas`: CAs and their lists. */
type Task = 'cas' | 'own' | 'log';

/** After a failure, how long until CAs are opened and lists are signed again, milliseconds: a token may be slow to say no. */
const RETRY_MS = 2_000;

class RunningAuthority implements IssuingAuthority {
  readonly trustDomain: TrustDomain;
  readonly #settings: IssuingSettings;
  readonly #deps: IssuingAuthorityDeps;
  readonly #listeners = new Set<() => void>();
  #parts: Parts | undefined;
  #cancelLook: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  /** Since when both clocks have gone on together and nothing was forgotten. */
  #steady: { readonly wallMs: number; readonly monotonicMs: number } | undefined;
  #problems: Readonly<Record<Task, readonly string[]>> = { cas: [], own: [], log: [] };
  #triedMs = Number.NEGATIVE_INFINITY;
  #issued = 0;
  #refused = new Map<IssuanceFault['kind'], number>();

  constructor(settings: IssuingSettings, deps: IssuingAuthorityDeps) {
    this.trustDomain = settings.trustDomain;
    this.#settings = settings;
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { folder, store: storeSettings, trustDomain } = this.#settings;
    const store = openAuthorityStore(folder, storeSettings);
    try {
      const domain = domainOf(store);
      if (!domain.ok) throw new Error(domain.error);
      if (domain.value !== trustDomain)
        throw new Error(
          `${folder} is the authority of ${domain.value}, not of ${trustDomain}; if that is meant, configure trustDomain: ${domain.value}`,
        );
      this.#refuseImpostors(store);
      this.#parts = this.#assemble(store);
      store.changedElsewhere();
      await this.#refresh(this.#parts);
      if (this.#parts.desk.active === undefined) throw new Error(`nothing can be issued: ${this.#problem() ?? ''}`);
      await this.#renewOwn(this.#parts);
      if (this.#parts.own.current === undefined) throw new Error(this.#problem());
      this.#moveRecords(this.#parts);
    } catch (error) {
      store.close();
      this.#parts = undefined;
      throw error;
    }
    this.#lookLater();
  }

  #refuseImpostors(store: AuthorityStore): void {
    const { ownId } = this.#settings;
    const found = store.read((database) => countImpostors(database, ownId, this.#deps.clock.wallMs()));
    if (!found.ok) throw new Error(found.error);
    if (found.value > 0)
      throw new Error(
        `${found.value} certificate${found.value > 1 ? 's' : ''} in force for ${ownId}, not the authority's own: who has one could pass for it; revoke that ID first, or configure another one for the authority`,
      );
  }

  async stop(): Promise<void> {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    await this.#looking;
    const parts = this.#parts;
    this.#parts = undefined;
    if (parts === undefined) return;
    this.#moveRecords(parts);
    parts.store.close();
  }

  async issue(attestation: Attestation, csr: Uint8Array, source: string): Promise<Result<IssuedSvid, IssuanceFault>> {
    const issued: Result<IssuedSvid, IssuanceFault> = (await this.#parts?.issuer.issue(attestation, csr, source)) ?? {
      ok: false,
      error: { kind: 'store_unavailable', detail: 'the authority is not running' },
    };
    if (issued.ok) this.#issued += 1;
    else this.#refused.set(issued.error.kind, (this.#refused.get(issued.error.kind) ?? 0) + 1);
    return issued;
  }

  async noteRefusal({ source, account }: RefusedCaller, detail: string): Promise<void> {
    const serviceAccount = account && `${account.namespace}/${account.serviceAccount}`;
    const caller = { method: 'kubernetes', source, serviceAccount, pod: account?.pod } as const;
    await this.#parts?.issuer.noteRefusal(caller, { kind: 'caller_refused', detail });
    this.#refused.set('caller_refused', (this.#refused.get('caller_refused') ?? 0) + 1);
  }

  trust(): TrustDocument {
    return this.#running().publisher.document;
  }

  workloads(): readonly SpiffeId[] {
    return this.#settings.workloads;
  }

  onTrust(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isGood(serial: string): boolean {
    const atMs = this.#deps.clock.wallMs();
    const found = this.#parts?.store.read((database) => livingCertificate(database, serial, atMs));
    return found?.ok === true && found.value !== undefined;
  }

  own(): OwnSvid {
    const { current } = this.#running().own;
    if (current === undefined) throw new Error('the authority has no certificate of its own yet');
    return current;
  }

  figures(): AuthorityFigures {
    const { store, records, desk, publisher, pods } = this.#running();
    const roots = store.read((database) => storedRoots(database).filter(isPublished));
    const living = store.read((database) => countLiving(database, this.#deps.clock.wallMs()));
    return {
      issued: this.#issued,
      refused: Object.fromEntries(this.#refused),
      living: living.ok ? living.value : 0,
      revoked: publisher.entries,
      nextUpdateMs: publisher.nextUpdateMs,
      issuerEndsMs: desk.active?.ca.notAfterMs ?? 0,
      crlNumber: desk.active === undefined ? 0 : publisher.numberOf(desk.active.signer),
      roots: roots.ok ? roots.value.map(({ der, notAfterMs }) => ({ sha256: sha256Hex(der), notAfterMs })) : [],
      podsUnproven: pods?.unproven ?? 0,
      podProblem: pods?.problem,
      recordsPending: records.pending,
      recordsLost: records.lost,
      problem: this.#problem(),
    };
  }

  #running(): Parts {
    if (this.#parts === undefined) throw new Error('the authority is not running');
    return this.#parts;
  }

  #assemble(store: AuthorityStore): Parts {
    const { folder, trustDomain, issuingKey, leafTtlMs = HOUR_MS, crlTtlMs = DEFAULT_CRL_TTL_MS } = this.#settings;
    const { clock, random, limits, openKey = plainKeyFiles(folder) } = this.#deps;
    const records = createRecordKeeper(store, clock);
    const refreshHintMs = Math.min(REFRESH_HINT_MS, crlTtlMs / 2);
    const desk = createSignerDesk(store, { trustDomain, issuingKey, leadMs: refreshHintMs }, openKey);
    const publisher = createTrustPublisher(store, { trustDomain, crlTtlMs, refreshHintMs }, clock);
    const issuing: IssuerSettings = { rights: this.#settings, leafTtlMs, dnsNames: this.#settings.dnsNames ?? [] };
    const { podProof = DEFAULT_POD_PROOF } = this.#settings;
    const pods = this.#deps.pods && createPodKeeper(podProof, { pods: this.#deps.pods, store, clock });
    const issuer = createIssuer(issuing, { store, records, desk, limits, clock, random, pods });
    return { store, records, desk, publisher, issuer, own: new OwnIdentity(issuer), pods };
  }

  #lookLater(): void {
    this.#cancelLook = this.#deps.timer(LOOK_MS, () => {
      this.#looking = this.#look().then(() => {
        if (this.#cancelLook !== undefined) this.#lookLater();
      });
    });
  }

  /** What an authority does by itself. Nothing here may stop it for good: what fails is said, and tried again at the next look. */
  async #look(): Promise<void> {
    const parts = this.#parts;
    if (parts === undefined) return;
    const atMs = this.#deps.clock.wallMs();
    try {
      const changed = parts.store.changedElsewhere();
      // A problem may be over without anybody having written anything.
      const isTimeAgain = Math.abs(atMs - this.#triedMs) >= RETRY_MS && this.#problems.cas.length > 0;
      const isDue = (parts.publisher.isDue(atMs) || parts.desk.isDue(atMs)) && this.#problems.cas.length === 0;
      if (changed || isDue || isTimeAgain) await this.#refresh(parts);
      if (parts.own.isDue(atMs, (serial) => this.isGood(serial), parts.desk.active?.ca)) await this.#renewOwn(parts);
      if (parts.records.pending > 0) this.#moveRecords(parts);
      this.#prune(parts, atMs);
    } catch (error) {
      this.#say('cas', [error instanceof Error ? error.message : 'failed']);
    }
  }

  async #refresh({ desk, publisher }: Parts): Promise<void> {
    const before = publisher.document.revision;
    this.#triedMs = this.#deps.clock.wallMs();
    this.#say('cas', [...(await desk.refresh(this.#triedMs)), ...(await publisher.refresh(desk.listing))]);
    if (publisher.document.revision !== before) for (const listener of this.#listeners) listener();
  }

  async #renewOwn({ own }: Parts): Promise<void> {
    const problem = await own.renew(this.#deps.clock.wallMs());
    this.#say('own', problem === undefined ? [] : [problem]);
  }

  #moveRecords({ records }: Parts): void {
    const problem = records.move();
    this.#say('log', problem === undefined ? [] : [problem]);
  }

  #say(task: Task, problems: readonly string[]): void {
    this.#problems = { ...this.#problems, [task]: problems };
  }

  #problem(): string | undefined {
    const { cas, own, log } = this.#problems;
    const all = [...cas, ...own, ...log];
    return all.length === 0 ? undefined : all.join('; ');
  }

  /** A wall clock that was just set may be wrong, and what is forgotten by it would stay forgotten: it is believed once it has been steady. */
  #prune({ store }: Parts, atMs: number): void {
    const now = { wallMs: atMs, monotonicMs: this.#deps.clock.monotonicMs() };
    const steadyMs = this.#steady === undefined ? 0 : now.monotonicMs - this.#steady.monotonicMs;
    const isSet = this.#steady === undefined || Math.abs(atMs - this.#steady.wallMs - steadyMs) > LEAP_MS;
    if (isSet) this.#steady = now;
    if (isSet || steadyMs < PRUNE_EVERY_MS) return;
    const pruned = store.write(({ database }) => {
      pruneTokens(database, atMs - KEEP_MS);
      prunePods(database, atMs - KEEP_MS);
      return pruneCertificates(database, atMs - KEEP_MS, PRUNE_AT_ONCE);
    });
    // Where there is more to forget, the next look goes on.
    if (pruned.ok && pruned.value < PRUNE_AT_ONCE) this.#steady = now;
  }
}
