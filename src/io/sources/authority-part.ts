import { createHash, generateKeyPairSync } from 'node:crypto';

import {
  NOT_ENROLLED,
  askedByOperator,
  attemptFailed,
  dueAtOnce,
  inForce,
  nextStep,
  reachedAgain,
} from '../../core/identity/renewal-schedule.ts';
import { createCsr } from '../../core/issuance/create-csr.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { judgeEnrolled, judgeTrust } from './authority-answer.ts';
import { TRUST_WAIT_MS, createTrustLoop } from './authority-trust.ts';
import { certificatesInText, readCertificates } from './identity-files.ts';
import { sameBytes, standingFault } from './identity-join.ts';
import { systemTimer } from './timer.ts';

import type { KeyObject } from 'node:crypto';
import type { FirstRoots } from '../../core/config/identity-settings.ts';
import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { Moment, RenewalState } from '../../core/identity/renewal-schedule.ts';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { Believed } from './authority-answer.ts';
import type { IdentityKeep } from './authority-keep.ts';
import type { TrustAnswer, TrustLoop } from './authority-trust.ts';
import type { Source } from './follower.ts';
import type { AuthorityClient, ClientFault, Enrolled, IdentityPart, OwnPart, PartWatch } from './identity-part.ts';
import type { Problems } from './problem.ts';

/** How a sidecar stands to its authority. */
export type AuthorityPartSettings = FirstRoots & {
  /** Ours and the authority's. */
  readonly trustDomain: TrustDomain;
  readonly method: 'join-token' | 'kubernetes';
  /** Path of the token, for what is told; the client reads it. */
  readonly token: string;
  /** Of the key that is made for each certificate. */
  readonly keyType: 'p256' | 'ed25519';
  /** Who we must be. Default: whoever the first certificate is for, and from then on nobody else. */
  readonly id?: SpiffeId | undefined;
};

export type AuthorityPartDeps = {
  readonly client: AuthorityClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer?: Timer | undefined;
  /** Lets the identity survive a restart. Default: it is in memory only. */
  readonly keep?: IdentityKeep | undefined;
};

/**
 * Creates the part of an identity that an authority gives: enrols with a key that is made here, renews at half of the life with another one, follows trust by long
 * poll. What comes is judged as from a liar; what is wrong with it is told, and the last good stays. `start` resolves after the first attempt, good or not.
 */
export function createAuthorityPart(
  settings: AuthorityPartSettings,
  deps: AuthorityPartDeps & PartWatch,
): Source<IdentityPart> {
  return new AuthorityPart(settings, deps);
}

type Own = OwnPart & { readonly identity: OwnIdentity };

/** What may be wrong at the same time, each told until it is over. */
const TOPICS = ['roots', 'certificate', 'trust', 'keep'] as const;
type Topic = (typeof TOPICS)[number];

class AuthorityPart implements Source<IdentityPart> {
  readonly #settings: AuthorityPartSettings;
  readonly #deps: AuthorityPartDeps & PartWatch;
  readonly #timer: Timer;
  readonly #trustLoop: TrustLoop;
  readonly #wrong = new Map<Topic, Problems>();
  #current: IdentityPart | undefined;
  #problem: Problems | undefined;
  #own: Own | undefined;
  #believed: Believed | undefined;
  /** Counts the trust documents that were taken: an answer to a question from before the last of them may be older than it. */
  #turn = 0;
  /** Tells what was brought last. */
  #brought: string | undefined;
  #firstRoots: readonly Uint8Array[] = [];
  #renewal: RenewalState = NOT_ENROLLED;
  #attempt: Promise<void> | undefined;
  #cancelWake: (() => void) | undefined;
  #stopped = false;

  constructor(settings: AuthorityPartSettings, deps: AuthorityPartDeps & PartWatch) {
    this.#settings = settings;
    this.#deps = deps;
    this.#timer = deps.timer ?? systemTimer;
    const { clock, random } = deps;
    this.#trustLoop = createTrustLoop(() => this.#askTrust(), { clock, random, timer: this.#timer });
  }

  get current(): IdentityPart | undefined {
    return this.#current;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    await this.#readRoots();
    await this.#loadKept();
    this.#wake();
    await this.#attempt;
  }

  async reload(): Promise<void> {
    await this.#readRoots();
    this.#renewal = askedByOperator(this.#renewal);
    this.#trustLoop.hurry();
    this.#wake();
    await this.#attempt;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelWake?.();
    this.#trustLoop.stop();
    void this.#deps.client.stop();
  }

  #now(): Moment {
    return { wallMs: this.#deps.clock.wallMs(), monotonicMs: this.#deps.clock.monotonicMs() };
  }

  /** Does what is due, or looks again later. */
  #wake(): void {
    if (this.#stopped || this.#attempt !== undefined) return;
    this.#cancelWake?.();
    const step = nextStep(this.#renewal, this.#now());
    if (step.kind === 'wait') {
      this.#cancelWake = this.#timer(step.ms, () => this.#wake());
      return;
    }
    this.#attempt = this.#enrol(step.kind).then(() => {
      this.#attempt = undefined;
      this.#wake();
    });
  }

  /** One attempt to get a certificate, with a key of its own. */
  async #enrol(step: 'renew' | 'enrol'): Promise<void> {
    const { client, random } = this.#deps;
    const turn = this.#turn;
    const answer = await this.#guarded(async () => {
      const privateKey = newKey(this.#settings.keyType);
      const csr = await createCsr(privateKey);
      const own = this.#own;
      const enrolled = await (step === 'renew' && own !== undefined ? client.renew(csr, own) : client.enrol(csr));
      return enrolled.ok ? ok({ enrolled: enrolled.value, privateKey }) : enrolled;
    });
    if (this.#stopped) return;
    const taken = answer.ok ? this.#take(answer.value.enrolled, answer.value.privateKey, turn) : ok(undefined);
    if (answer.ok && taken.ok) return this.#keep();
    const refused = !answer.ok && answer.error.kind === 'refused';
    const retryAfterMs = answer.ok ? undefined : answer.error.retryAfterMs;
    this.#renewal = attemptFailed(this.#renewal, { step, refused, retryAfterMs }, this.#now(), random);
    const lies = taken.ok ? [] : taken.error.map((lie) => `refused what the authority sent: ${lie}`);
    const details = answer.ok ? lies : [this.#explained(step, answer.error)];
    const what = step === 'renew' ? 'renewal' : 'enrolment';
    return this.#tell(
      'certificate',
      details.map((detail) => `${what}: ${detail}`),
    );
  }

  /** Takes a certificate and the trust that came with it, or nothing of either. */
  #take({ spiffeId, chain, trust }: Enrolled, privateKey: KeyObject, turn: number): Result<undefined, Problems> {
    const believed = this.#judgeNews(trust, turn);
    if (!believed.ok) return believed;
    const now = this.#now();
    const own = { chain, privateKey };
    const { trustDomain, id } = this.#settings;
    const expected = { trustDomain, spiffeId: id ?? this.#own?.identity.spiffeId };
    const judged = judgeEnrolled(own, expected, believed.value.store, now.wallMs);
    if (!judged.ok) return judged;
    if (judged.value.spiffeId !== spiffeId)
      return err([`the certificate is for ${judged.value.spiffeId}, and the answer says another ID`]);
    this.#own = { ...own, identity: judged.value };
    this.#renewal = inForce({ fromMs: now.wallMs, untilMs: judged.value.validUntilMs }, now, this.#deps.random);
    this.#tell('certificate', []);
    this.#believe(believed.value);
    return ok(undefined);
  }

  /** What trust is after a document that was asked for in `turn`. One that is older than what was taken meanwhile changes nothing. */
  #judgeNews(document: TrustDocument, turn: number): Result<Believed, Problems> {
    const held = this.#believed;
    if (held !== undefined && (turn !== this.#turn || document.revision === held.document.revision)) return ok(held);
    return judgeTrust(document, this.#settings.trustDomain, held?.store);
  }

  #believe(believed: Believed): void {
    if (believed !== this.#believed) {
      this.#turn += 1;
      this.#believed = believed;
      this.#trustRoots();
      const own = this.#own;
      const fault = own && standingFault(own.chain, believed.store, own.identity.trustDomain, this.#now().wallMs);
      if (fault !== undefined) this.#renewal = dueAtOnce(this.#renewal);
    }
    this.#bring();
    this.#trustLoop.start();
    this.#wake();
  }

  /** Brings what is in force, unless it is what was brought last. */
  #bring(): void {
    if (this.#believed === undefined) return;
    const brought = `${this.#believed.store.revision} ${this.#own?.identity.certificate.sha256}`;
    if (brought === this.#brought) return;
    this.#brought = brought;
    const { bundles, crls } = this.#believed.document;
    const own = this.#own && { chain: this.#own.chain, privateKey: this.#own.privateKey };
    this.#current = Object.freeze({ own, bundles, crls, warnings: [] });
    this.#deps.onChange(this.#current);
  }

  async #askTrust(): Promise<TrustAnswer & { readonly judgedMs: number }> {
    const { client, clock } = this.#deps;
    const turn = this.#turn;
    const asked = await this.#guarded(() => client.trust(this.#believed?.document.revision, TRUST_WAIT_MS));
    if (this.#stopped) return { kind: 'unchanged', judgedMs: 0 };
    const startMs = clock.monotonicMs();
    const judged: Result<Believed | undefined, Problems> = !asked.ok
      ? err([asked.error.detail])
      : asked.value === 'unchanged'
        ? ok(undefined)
        : this.#judgeNews(asked.value, turn);
    const isNews = judged.ok && judged.value !== undefined && judged.value !== this.#believed;
    const problems = judged.ok ? [] : judged.error.map((problem) => `trust: ${problem}`);
    if (judged.ok && this.#wrong.get('trust')?.length) this.#reachedAgain();
    this.#tell('trust', problems);
    if (isNews && judged.value !== undefined) {
      this.#believe(judged.value);
      await this.#keep();
    }
    const judgedMs = clock.monotonicMs() - startMs;
    if (!judged.ok) return { kind: 'failed', retryAfterMs: asked.ok ? undefined : asked.error.retryAfterMs, judgedMs };
    // An answer that was overtaken says nothing: the next question is asked as after news.
    return { kind: isNews || turn !== this.#turn ? 'news' : 'unchanged', judgedMs };
  }

  /** Trust is asked for more often than a certificate whose renewal failed: it finds out first that an outage is over. */
  #reachedAgain(): void {
    this.#renewal = reachedAgain(this.#renewal);
    this.#wake();
  }

  /** What throws is a fault of ours, and no reason to ask no more. */
  async #guarded<T>(action: () => Promise<Result<T, ClientFault>>): Promise<Result<T, ClientFault>> {
    try {
      return await action();
    } catch (error) {
      return err({ kind: 'unavailable', detail: error instanceof Error ? error.message : String(error) });
    }
  }

  async #readRoots(): Promise<void> {
    const roots = await readFirstRoots(this.#settings);
    if (roots.ok && !sameBytes(roots.value, this.#firstRoots)) {
      this.#firstRoots = roots.value;
      this.#trustRoots(roots.value);
    }
    this.#tell('roots', roots.ok ? [] : [roots.error]);
  }

  /** `anew`: roots that an operator has just given us, which count beside those that the authority told, until it tells others. */
  #trustRoots(anew: readonly Uint8Array[] = []): void {
    const told = this.#believed?.document.bundles.get(this.#settings.trustDomain) ?? [];
    this.#deps.client.trustRoots([...told, ...anew]);
  }

  /** What was kept over a restart is judged like what comes from outside. Its trust is used even where its certificate has ended. */
  async #loadKept(): Promise<void> {
    const loaded = (await this.#deps.keep?.load()) ?? ok(undefined);
    if (!loaded.ok) return this.#tell('keep', [loaded.error]);
    if (loaded.value === undefined) return;
    const { chain, privateKey, trust, firstRoots } = loaded.value;
    const { trustDomain, id } = this.#settings;
    const believed = judgeTrust(trust, trustDomain, undefined);
    if (!believed.ok) return this.#tell('keep', unused(believed.error));
    const now = this.#now();
    const own = { chain, privateKey };
    const judged = judgeEnrolled(own, { trustDomain, spiffeId: id }, believed.value.store, now.wallMs);
    if (judged.ok) {
      this.#own = { ...own, identity: judged.value };
      const life = { fromMs: judged.value.certificate.notBeforeMs, untilMs: judged.value.validUntilMs };
      this.#renewal = inForce(life, now, this.#deps.random);
    } else this.#tell('keep', unused(judged.error));
    this.#believe(believed.value);
    // A root that was taken out since may still stand in an operator's file; a file that is new since is an operator's word.
    if (firstRoots !== digestOf(this.#firstRoots)) this.#trustRoots(this.#firstRoots);
  }

  async #keep(): Promise<void> {
    if (this.#own === undefined || this.#believed === undefined || this.#deps.keep === undefined) return;
    const { chain, privateKey } = this.#own;
    const firstRoots = digestOf(this.#firstRoots);
    const saved = await this.#deps.keep.save({ chain, privateKey, trust: this.#believed.document, firstRoots });
    this.#tell('keep', saved.ok ? [] : [`the identity could not be kept for a restart: ${saved.error}`]);
  }

  #explained(step: 'renew' | 'enrol', { kind, detail }: ClientFault): string {
    if (kind === 'malformed') return `what the authority sent cannot be understood: ${detail}`;
    if (kind === 'unavailable') return detail;
    const { method, token } = this.#settings;
    if (step === 'renew') return `the authority refused it: ${detail}; we prove again who we are`;
    return method === 'join-token'
      ? `the authority refused the join token of ${token}: ${detail}; a token is good once and for a while: put a new one there, and reload to have it used at once`
      : `the authority refused the service account token of ${token}: ${detail}; its issuance log says why`;
  }

  #tell(topic: Topic, problems: Problems): void {
    this.#wrong.set(topic, problems);
    const all = TOPICS.flatMap((one) => this.#wrong.get(one) ?? []);
    const problem = all.length === 0 ? undefined : all;
    if (problem?.join('\n') === this.#problem?.join('\n')) return;
    this.#problem = problem;
    this.#deps.onProblem(problem);
  }
}

/** The roots that the authority is checked with at the first contact, from a file or from the configuration itself. The error begins with where they stand. */
export function readFirstRoots(roots: FirstRoots): Promise<Result<readonly Uint8Array[], string>> {
  return roots.trustBundlePem === undefined
    ? readCertificates(roots.trustBundle)
    : Promise.resolve(certificatesInText(roots.trustBundlePem, 'identity.authority.trustBundle'));
}

function unused(problems: Problems): Problems {
  return problems.map((problem) => `what was kept for a restart is not used: ${problem}`);
}

function newKey(keyType: AuthorityPartSettings['keyType']): KeyObject {
  return keyType === 'ed25519'
    ? generateKeyPairSync('ed25519').privateKey
    : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function digestOf(certificates: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const der of certificates) hash.update(`${der.length}\n`).update(der);
  return hash.digest('hex');
}
