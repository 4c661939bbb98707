import type { Config } from '../core/config/config.ts';
import { createJournal, type Journal } from '../io/journal/journal.ts';
import { DEFAULT_JOURNAL, type JournalLog, type JournalSettings } from '../io/journal/settings.ts';
import { createTokenCheck } from '../io/keys/token-check.ts';
import type { Source } from '../io/sources/follower.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import type { StatusReporter } from '../io/control/status-reporter.ts';
import {
  followCandidate,
  followPolicy,
  type ActivePolicy,
  type CandidateFollower,
  type PolicyFollower,
} from './active-policy.ts';
import { assemblePlane } from './assembled-plane.ts';
import { readCallerToken } from './caller-token.ts';
import { controlIdentity } from './control-identity.ts';
import { receiversOf, statusReporterOf } from './control-plane.ts';
import { ListenFault, type BoundPorts, type CallerTokens, type DataPlane, type InForce } from './data-plane.ts';
import { destinationProblems } from './outbound.ts';
import { createPeerJudges, type PeerJudges } from './peer-judges.ts';
import type { Figures } from '../io/telemetry/figures.ts';
import type { ThreadMetrics } from '../io/telemetry/thread-metrics.ts';
import type { SidecarObserver } from './observer.ts';
import { sidecarStatus, type SidecarStatus } from './sidecar-status.ts';
import { followIdentity } from './identity.ts';
import { createRandom, systemClock } from './system.ts';
import { WORKER_LINGER_MS, workerCount } from './worker-count.ts';

/** Least time for writing what is queued when the process ends, milliseconds. */
const JOURNAL_GRACE_MS = 2_000;

/** A sidecar that cannot start, and every reason that was found. */
export class StartFault extends Error {
  readonly problems: Problems;
  /** `input`: configuration, certificates or policy are no good; `outside`: an address in use, a file that cannot be written. */
  override readonly cause: 'input' | 'outside';

  constructor(problems: Problems, cause: 'input' | 'outside') {
    super(problems.join('; '));
    this.name = 'StartFault';
    this.problems = problems;
    this.cause = cause;
  }
}

/** Whether each part can do its work; `detail` says what is missing. */
export type Readiness = Readonly<Record<'policy' | 'identity' | 'upstream' | 'journal', PartReadiness>> & {
  /** Only where several threads serve. */
  readonly workers?: PartReadiness;
};

type PartReadiness = { readonly ok: boolean; readonly detail: string };

/** The sidecar of one agent: wires sources, gates, listeners and journal. Without effects until `prepare`. */
export class Sidecar {
  readonly #config: Config;
  readonly #observer: SidecarObserver;
  readonly #journal: Journal;
  readonly #identity: Source<IdentitySnapshot>;
  readonly #tokenCheck = createTokenCheck();
  readonly #policy: PolicyFollower;
  readonly #candidate: CandidateFollower | undefined;
  readonly #judges: PeerJudges;
  readonly #plane: DataPlane;
  readonly #status: StatusReporter | undefined;
  readonly #firstIdentity = Promise.withResolvers<IdentitySnapshot | undefined>();
  #draining = false;
  #bound: BoundPorts | undefined;
  #hasHadPolicy = false;
  /** Warnings of the identity in force: each is told once while it lasts. */
  #warned: ReadonlySet<string> = new Set();
  #stopped: Promise<number> | undefined;

  /** `threadMetrics`: where several threads serve and somebody reads metrics; decisions are then counted there, not by `observer`. */
  constructor(config: Config, observer: SidecarObserver, threadMetrics?: ThreadMetrics) {
    this.#config = config;
    this.#observer = observer;
    this.#journal = createJournal(journalSettings(config), {
      clock: systemClock,
      log: this.#journalLog(),
      random: createRandom(),
      receiver: receiversOf(config.journal, systemClock),
    });
    const inForce: InForce = {
      identity: () => this.#identity.current,
      policy: () => this.#policy.current,
      candidate: () => this.#candidate?.current,
    };
    this.#judges = createPeerJudges(inForce.identity, config.identity.requireRevocationLists, systemClock);
    const parts = { inForce, judges: this.#judges, journal: this.#journal, observer, threadMetrics };
    this.#plane = assemblePlane(config, parts);
    const deliver = this.#plane.workers !== undefined;
    this.#identity = followIdentity(config.identity, {
      onChange: (snapshot) => this.#onIdentity(snapshot),
      onProblem: (problems) => this.#observer.source('identity', problems),
      onLost: (reason) => this.#onIdentityLost(reason),
    });
    const identity = controlIdentity(inForce.identity, this.#judges.server);
    this.#policy = followPolicy(config.policy, {
      clock: systemClock,
      random: createRandom(),
      onChange: (active) => this.#onPolicy(active),
      onProblem: (problems) => {
        this.#observer.source('policy', problems);
        this.#status?.changed();
      },
      onWarning: (warning) => this.#observer.log.warn({ source: 'policy' }, warning),
      onState: () => this.#status?.changed(),
      identity,
      deliver,
    });
    this.#candidate = followCandidate(config.policy, {
      clock: systemClock,
      random: createRandom(),
      onChange: (candidate) => this.#onCandidate(candidate),
      onProblem: (problems) => this.#observer.source('candidate', problems),
      onWarning: (warning) => this.#observer.log.warn({ source: 'candidate' }, warning),
      identity,
      deliver,
    });
    this.#status = statusReporterOf(
      config.status,
      {
        labels: observer.labels,
        bundle: () => this.#policy.bundle,
        sinks: () => this.#journal.depth().sinks,
      },
      { random: createRandom(), log: observer.log },
    );
  }

  /**
   * Begins with everything that may change while running, or rejects with `StartFault`. From then on `readiness` tells. An identity from files, and a policy that
   * no server may give later, have to be good now; an authority or a Workload API may come after us, so an identity from there is waited for by `open`.
   */
  async prepare(): Promise<void> {
    const wrong = destinationProblems(this.#config.outbound);
    if (wrong.length > 0) throw new StartFault(wrong, 'input');
    await this.#startJournal();
    this.#status?.start();
    await this.#startSources();
    const mayComeLater = this.#config.identity.source !== 'files';
    const problems = [...(this.#identity.problem ?? []), ...(this.#policy.problem ?? [])];
    const isMissing = this.#identity.current === undefined && !mayComeLater;
    if (isMissing || !this.#hasPolicySoon()) await this.#giveUp(problems, 'input');
    // Nothing waits for what is on trial, and nothing of it keeps a sidecar from starting.
    this.#candidate?.start().catch((error: unknown) => this.#observer.source('candidate', [String(error)]));
  }

  /** Opens all listeners as soon as there is an identity, or none of them and rejects with `StartFault`; undefined when it was stopped before. */
  async open(): Promise<BoundPorts | undefined> {
    const callerTokens = await this.#callerTokens();
    // Last before the listeners are made: they hear of each identity from then on, and of no stop before.
    const identity = this.#identity.current ?? (await this.#firstIdentity.promise);
    if (identity === undefined || this.#draining) return undefined;
    try {
      this.#bound = await this.#plane.open(identity, callerTokens);
    } catch (error) {
      if (!(error instanceof ListenFault)) throw error;
      return this.#giveUp(error.problems, 'outside');
    }
    return this.#bound;
  }

  async #callerTokens(): Promise<CallerTokens> {
    const tokens = await Promise.all(this.#config.outbound.map(({ token }) => readCallerToken(token)));
    const unread = tokens.flatMap((token) => (token.ok ? [] : [token.error]));
    if (unread.length > 0) return this.#giveUp(unread, 'input');
    return tokens.map((token) => (token.ok ? token.value : undefined));
  }

  /** Without a policy everything is refused; that is worth starting for where a bundle server may give one. */
  #hasPolicySoon(): boolean {
    return this.#policy.current !== undefined || this.#policy.mayComeLater;
  }

  /** Reads certificates, trust, revocation lists and policy again, and opens renamed journal files anew (SIGHUP). */
  async reload(): Promise<void> {
    const [reopened] = await Promise.all([
      this.#journal.reopen(),
      this.#identity.reload(),
      this.#policy.reload(),
      this.#candidate?.reload(),
    ]);
    if (reopened) this.#observer.sourceChanged('journal');
    else this.#observer.source('journal', ['a journal file could not be opened anew; the old one stays in use']);
  }

  /** Goes on serving everybody, but asks peers to go elsewhere while the agent behind is still there. `stop` follows. */
  retire(): void {
    this.#plane.retire();
  }

  /** Drains: accepts no more, lets requests finish within `graceMs`, writes every record, then ends. Resolves with the number of records lost. */
  stop(graceMs: number): Promise<number> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<number> {
    this.#draining = true;
    this.#firstIdentity.resolve(undefined);
    const started = systemClock.monotonicMs();
    this.#identity.stop();
    this.#policy.stop();
    this.#candidate?.stop();
    await this.#status?.stop();
    await this.#plane.stop(graceMs);
    const left = Math.max(JOURNAL_GRACE_MS, graceMs - (systemClock.monotonicMs() - started));
    return this.#journal.stop(left);
  }

  /** Ready: identity and policy are in force and every agent accepts connections. Not ready any more once draining. */
  async readiness(): Promise<Readiness> {
    const silent = await this.#plane.silent();
    const draining = this.#draining ? 'draining' : undefined;
    const upstream = silent.length > 0 ? `no agent answers behind ${silent.join(', ')}` : undefined;
    return { ...(await this.ownReadiness()), upstream: readiness(draining ?? upstream) };
  }

  /** What the sidecar itself needs to do its part, whatever the agent does. */
  async ownReadiness(): Promise<Omit<Readiness, 'upstream'>> {
    const draining = this.#draining ? 'draining' : undefined;
    return {
      policy: readiness(draining ?? this.#policyObstacle()),
      identity: readiness(draining ?? this.#identityObstacle() ?? (await this.#keyObstacle())),
      journal: readiness(draining ?? this.#journalObstacle()),
      ...(this.#plane.workers && { workers: readiness(draining ?? this.#workersObstacle()) }),
    };
  }

  /** True from when identity and policy have been there and all listeners are open; never false again. */
  get hasStarted(): boolean {
    return this.#bound !== undefined && this.#hasHadPolicy;
  }

  /** What it says of itself to operators. */
  status(): SidecarStatus {
    return sidecarStatus({
      config: this.#config,
      started: this.hasStarted,
      draining: this.#draining,
      identity: this.#identity,
      policy: this.#policy,
      candidate: this.#candidate,
      bound: this.#bound,
      workers: this.#plane.workers,
    });
  }

  /** All metrics in the Prometheus text format. */
  async metrics(): Promise<string> {
    await this.#plane.refresh();
    return (await this.#observer.metrics()) + (await this.#plane.decisions());
  }

  /** Figures of this moment, for metrics; of other threads, as `metrics` asked for them last. */
  figures(): Figures {
    const journal = this.#journal.depth();
    return {
      ...this.#plane.figures,
      certificateNotAfterMs: this.#identity.current?.own.validUntilMs,
      journal: { ...journal, promised: Math.max(0, journal.promised - (this.#plane.workers?.idleRoom ?? 0)) },
    };
  }

  /** A bundle server that wants to see who we are can only be asked once we are somebody. */
  async #startSources(): Promise<void> {
    if (!this.#showsIdentity) {
      await Promise.all([this.#identity.start(), this.#policy.start()]);
      return;
    }
    await this.#identity.start();
    await this.#policy.start();
  }

  get #showsIdentity(): boolean {
    return this.#config.policy.bundleServer.peer !== undefined;
  }

  async #startJournal(): Promise<void> {
    try {
      await this.#journal.start();
    } catch (error) {
      throw new StartFault([error instanceof Error ? error.message : String(error)], 'outside');
    }
  }

  async #giveUp(problems: Problems, cause: StartFault['cause']): Promise<never> {
    await this.stop(0);
    throw new StartFault(problems, cause);
  }

  #onIdentity(snapshot: IdentitySnapshot): void {
    this.#firstIdentity.resolve(snapshot);
    // It came late: whoever could not be asked without it is asked now rather than at the next turn.
    if (this.#showsIdentity && this.#policy.current === undefined) void this.#policy.reload();
    if (this.#showsIdentity && this.#candidate?.current === undefined) void this.#candidate?.reload();
    void this.#plane.identityChanged(snapshot).then((unusable) => this.#identityInForce(snapshot, unusable));
  }

  #identityInForce({ own, trust, warnings }: IdentitySnapshot, unusable: Problems): void {
    const { log } = this.#observer;
    const notAfter = new Date(own.validUntilMs).toISOString();
    log.info({ spiffe_id: own.spiffeId, not_after: notAfter, trust: trust.revision }, 'identity in force');
    for (const warning of warnings) if (!this.#warned.has(warning)) log.warn({}, warning);
    this.#warned = new Set(warnings);
    this.#observer.sourceChanged('identity');
    for (const problem of unusable) this.#observer.source('identity', [problem]);
  }

  /** Without an identity nobody is let in or called, and whoever is in is shown out. */
  #onIdentityLost(reason: string): void {
    this.#observer.log.error({ reason }, 'no identity is in force');
    this.#plane.identityLost();
  }

  #onPolicy(active: ActivePolicy): void {
    this.#hasHadPolicy = true;
    this.#status?.changed();
    void this.#plane.policyChanged(active).then(() => this.#policyInForce(active));
  }

  #policyInForce({ policy: { bundles, entrypoint, digest, reads } }: ActivePolicy): void {
    this.#observer.log.info({ bundles, entrypoint, digest, reads }, 'policy revision active');
    this.#observer.policyChanged(bundles);
    this.#observer.sourceChanged('policy');
  }

  #onCandidate(candidate: ActivePolicy | undefined): void {
    void this.#plane.candidateChanged(candidate).then(() => this.#candidateOnTrial(candidate));
  }

  #candidateOnTrial(candidate: ActivePolicy | undefined): void {
    if (candidate === undefined) this.#observer.log.info({}, 'there is no candidate policy');
    else {
      const { bundles, entrypoint, digest } = candidate.policy;
      this.#observer.log.info({ bundles, entrypoint, digest }, 'candidate policy on trial');
    }
    this.#observer.candidateChanged(candidate?.policy.bundles);
    this.#observer.sourceChanged('candidate');
  }

  /** What the journal tells of its sinks is news for status reports too. */
  #journalLog(): JournalLog {
    const { log } = this.#observer;
    const tell = (write: JournalLog['info']): JournalLog['info'] => {
      return (fields, message) => {
        write(fields, message);
        this.#status?.changed();
      };
    };
    return { info: tell(log.info), error: tell(log.error) };
  }

  #policyObstacle(): string | undefined {
    if (this.#policy.current !== undefined) return undefined;
    const why = this.#policy.problem?.[0];
    return why === undefined ? 'no revision is active' : `no revision is active: ${why}`;
  }

  #journalObstacle(): string | undefined {
    const failing = this.#journal.depth().sinks.filter((sink) => !sink.ok);
    return failing.length === 0 ? undefined : `cannot write to ${failing.map((sink) => sink.name).join(', ')}`;
  }

  /** Before the listeners are opened none is missed. */
  #workersObstacle(): string | undefined {
    return this.#bound !== undefined && this.#plane.workers?.serving === 0 ? 'no worker is serving' : undefined;
  }

  #identityObstacle(): string | undefined {
    const identity = this.#identity.current;
    if (identity === undefined) {
      const why = this.#identity.problem?.[0];
      return why === undefined ? 'no identity is in force' : `no identity is in force: ${why}`;
    }
    return identity.own.validUntilMs <= systemClock.wallMs() ? 'our own certificate has expired' : undefined;
  }

  async #keyObstacle(): Promise<string | undefined> {
    const identity = this.#identity.current;
    return identity && this.#tokenCheck(identity.privateKey);
  }
}

function journalSettings(config: Config): JournalSettings {
  const { records, bytes, wait, whenFull } = config.journalQueue;
  const queue = { queueRecords: records, queueBytes: bytes, waitMs: wait, whenFull };
  // Workers gather lines, too.
  const lingerMs = DEFAULT_JOURNAL.lingerMs - (workerCount(config) > 1 ? WORKER_LINGER_MS : 0);
  return { ...DEFAULT_JOURNAL, ...queue, lingerMs, sinks: config.journal };
}

function readiness(obstacle: string | undefined): { readonly ok: boolean; readonly detail: string } {
  return { ok: obstacle === undefined, detail: obstacle ?? 'ready' };
}
