import { createHash } from 'node:crypto';

import { sameBytes } from './identity-join.ts';
import { federationKind } from './trust-poll-federation.ts';
import { revocationKind } from './trust-poll-revocation.ts';
import { systemTimer } from './timer.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { Source } from './follower.ts';
import type { IdentityPart, PartWatch } from './identity-part.ts';
import type { Problems } from './problem.ts';
import type { TrustPollStore } from './trust-poll-copy.ts';
import type { FederationPoll } from './trust-poll-federation.ts';
import type { Judged, Origin, PollKind, Taken } from './trust-poll-kind.ts';
import type { RevocationPoll } from './trust-poll-revocation.ts';

/** What is polled. */
export type TrustPollSettings = FederationPoll | RevocationPoll;

/** What a later question shows, so that what did not change is not sent again. */
export type Validators = {
  readonly url: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
};

/** What one question gave. */
export type TrustAnswer =
  | { readonly kind: 'content'; readonly bytes: Uint8Array; readonly validators: Validators | undefined }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterMs: number | undefined };

/** Who asks. One call at a time; never throws. */
export interface TrustFetcher {
  fetch(known: Validators | undefined): Promise<TrustAnswer>;
  stop(): void;
}

export type TrustPollDeps = {
  readonly fetcher: TrustFetcher;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer?: Timer | undefined;
  /** Keeps what is in force for a restart without the server. Default: nothing is kept. */
  readonly store?: TrustPollStore | undefined;
  /** DER of the CA certificates that are believed now, intermediates included: lists fetched over plain HTTP must be signed by one of them. Default: none. */
  readonly issuers?: (() => readonly Uint8Array[]) | undefined;
};

/**
 * Creates the part of an identity that one address gives: the bundle of another trust domain, or revocation lists. `start` uses the copy that was kept or the bundle
 * that the operator gave, asks once, and resolves in either case. What comes is judged; what is wrong is told and the last good stays, without end: an
 * old bundle or list is better than none, and its own dates say how far it may be believed.
 */
export function createTrustPoll(settings: TrustPollSettings, deps: TrustPollDeps & PartWatch): Source<IdentityPart> {
  const kind =
    settings.kind === 'federation' ? federationKind(settings) : revocationKind(settings, deps.issuers ?? (() => []));
  return new TrustPoll(new URL(settings.url), kind, deps);
}

class TrustPoll implements Source<IdentityPart> {
  /** How the address is shown: its query may hold secrets. */
  readonly #where: string;
  readonly #kind: PollKind;
  readonly #deps: TrustPollDeps & PartWatch;
  readonly #timer: Timer;
  #held: Taken | undefined;
  #problem: Problems | undefined;
  /** Of the copy on disk; told beside what is wrong with answers. */
  #keeping: Problems = [];
  /** Sent with the next question; forgotten after anything went wrong, so that all of it is sent and judged again. */
  #validators: Validators | undefined;
  /** SHA-256 of the last answer that was taken; forgotten likewise. */
  #digest: string | undefined;
  #failures = 0;
  #stopped = false;
  #asking: Promise<void> | undefined;
  #cancelWait: (() => void) | undefined;

  constructor({ origin, pathname }: URL, kind: PollKind, deps: TrustPollDeps & PartWatch) {
    this.#where = `${origin}${pathname}`;
    this.#kind = kind;
    this.#deps = deps;
    this.#timer = deps.timer ?? systemTimer;
  }

  get current(): IdentityPart | undefined {
    return this.#held?.part;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    await this.#loadCopy();
    if (this.#held === undefined && this.#kind.first !== undefined) this.#hold(this.#kind.first);
    await this.#ask();
  }

  /** Asks now; a question that is under way is waited for. */
  async reload(): Promise<void> {
    await this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelWait?.();
    this.#deps.fetcher.stop();
  }

  #ask(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#cancelWait?.();
    this.#asking ??= this.#question().then((pauseMs) => {
      this.#asking = undefined;
      if (!this.#stopped) this.#cancelWait = this.#timer(pauseMs, () => void this.#ask());
    });
    return this.#asking;
  }

  /** One question and what follows from it. Gives the pause before the next one, milliseconds. */
  async #question(): Promise<number> {
    const answer = await this.#deps.fetcher.fetch(this.#validators);
    if (this.#stopped) return 0;
    switch (answer.kind) {
      case 'failed':
        return this.#failed([answer.detail], answer.retryAfterMs);
      case 'unchanged':
        return this.#succeeded();
      case 'content':
        return this.#take(answer.bytes, answer.validators);
      default:
        answer satisfies never;
        return 0;
    }
  }

  async #take(bytes: Uint8Array, validators: Validators | undefined): Promise<number> {
    const digest = createHash('sha256').update(bytes).digest('hex');
    // Servers that know no validators send the same again and again; a long list is not judged each time.
    if (digest === this.#digest) return this.#succeeded();
    const { taken, problems } = this.#judge(bytes, 'answer');
    if (taken !== undefined && (this.#hold(taken) || this.#keeping.length > 0)) await this.#keep(taken);
    if (problems.length > 0)
      return this.#failed(
        problems.map((problem) => `${this.#where}: ${problem}`),
        undefined,
      );
    const isKept = this.#keeping.length === 0;
    this.#validators = isKept ? validators : undefined;
    this.#digest = isKept ? digest : undefined;
    return this.#succeeded();
  }

  /** What throws on content from outside is a fault of ours, and no reason to ask no longer. */
  #judge(bytes: Uint8Array, origin: Origin): Judged {
    try {
      return this.#kind.judge(bytes, this.#held, origin);
    } catch (error) {
      return {
        taken: undefined,
        problems: [`could not be judged: ${error instanceof Error ? error.message : 'failed'}`],
      };
    }
  }

  /** Puts it in force; true where something changed. */
  #hold(taken: Taken): boolean {
    const before = this.#held;
    this.#held = taken;
    const changed = before === undefined || !isSame(before.part, taken.part);
    if (changed && !this.#stopped) this.#deps.onChange(taken.part);
    return changed || before.sequence !== taken.sequence;
  }

  #succeeded(): number {
    this.#failures = 0;
    this.#tell([]);
    return this.#kind.pauseMs(this.#held, this.#deps.clock.wallMs(), this.#deps.random);
  }

  #failed(problems: Problems, retryAfterMs: number | undefined): number {
    this.#validators = undefined;
    this.#digest = undefined;
    this.#failures += 1;
    this.#tell(problems);
    return Math.max(this.#kind.retryMs(this.#failures, this.#held, this.#deps.random), retryAfterMs ?? 0);
  }

  #tell(problems: Problems): void {
    const all = [...problems, ...this.#keeping];
    const next = all.length === 0 ? undefined : all;
    if (this.#stopped || next?.join('\n') === this.#problem?.join('\n')) return;
    this.#problem = next;
    this.#deps.onProblem(next);
  }

  /** What was kept is judged again: the file may have been anybody's in between, and rules of ours may have changed. */
  async #loadCopy(): Promise<void> {
    const loaded = await this.#deps.store?.load();
    if (loaded === undefined || this.#stopped) return;
    if (!loaded.ok) this.#keeping = [loaded.error];
    if (!loaded.ok || loaded.value === undefined) return;
    const { taken, problems } = this.#judge(loaded.value.bytes, 'copy');
    if (problems.length > 0)
      this.#keeping = problems.map((problem) => `the copy that was kept of ${this.#where} is not used: ${problem}`);
    if (taken !== undefined) this.#hold({ ...taken, sequence: loaded.value.sequence });
  }

  async #keep({ bytes, sequence }: Taken): Promise<void> {
    const saved = await this.#deps.store?.save({ bytes, sequence });
    this.#keeping =
      saved === undefined || saved.ok ? [] : [`what is in force could not be kept for a restart: ${saved.error}`];
  }
}

function isSame(a: IdentityPart, b: IdentityPart): boolean {
  const bundles = [...b.bundles].every(([domain, bundle]) => sameBytes(a.bundles.get(domain) ?? [], bundle));
  return bundles && sameBytes(a.crls, b.crls) && a.warnings.join('\n') === b.warnings.join('\n');
}
