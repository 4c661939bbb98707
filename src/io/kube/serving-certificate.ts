import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { SECRETS, WEBHOOK_CONFIGURATIONS } from './api-resource.ts';
import { createBundleKeeper } from './bundle-keeper.ts';
import { createSharedSecret } from './shared-secret.ts';
import { watchObjects } from './watch-objects.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject, Resource } from './api-resource.ts';
import type { BundleKeeper } from './bundle-keeper.ts';
import type { ServedCertificate, ServingSource } from './served-certificate.ts';
import type { ServingState } from './serving-state.ts';
import type { SharedSecret } from './shared-secret.ts';
import type { ObjectWatch } from './watch-objects.ts';

export type ServingSettings = {
  /** Our own namespace. */
  readonly namespace: string;
  /** Name of the Secret that the replicas share; it is made where it is missing. */
  readonly secret: string;
  /** Name of the MutatingWebhookConfiguration whose webhooks are ours, all of them. */
  readonly configuration: string;
  /** What the API server calls us by: `NAME.NAMESPACE.svc` first. */
  readonly dnsNames: readonly [string, ...string[]];
  /** Life of what is served, milliseconds. Default 30 days; renewed at half. */
  readonly leafMs?: number | undefined;
  /** Life of an authority, milliseconds. Default 2 years, at least four times that of a leaf; replaced at half. */
  readonly authorityMs?: number | undefined;
  /** How long API servers and replicas may take to hear of a change, milliseconds: a new authority signs nothing before. Default 1 minute. */
  readonly settleMs?: number | undefined;
  /** Between regular looks, milliseconds. Default 1 minute. */
  readonly lookMs?: number | undefined;
};

export type ServingDeps = {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer: Timer;
  readonly log: {
    info(fields: Readonly<Record<string, unknown>>, message: string): void;
    warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  };
};

const DAY_MS = 86_400_000;
const DEFAULTS = { leafMs: 30 * DAY_MS, authorityMs: 730 * DAY_MS, settleMs: 60_000, lookMs: 60_000 } as const;
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 30_000;

/**
 * Makes the serving certificate of a webhook and rotates it, in any number of replicas without a leader: what they share stands in one Secret, and
 * whoever was slower reads again. Nothing is served before the webhooks' `caBundle` holds its authority, and an authority leaves `caBundle` only
 * after its last certificate has ended. While the API server is away the last good one stays. Without effects until it is started; throws a
 * RangeError for lives that do not go together (a start-up fault).
 */
export function createServingCertificate(settings: ServingSettings, deps: ServingDeps): ServingSource {
  const { leafMs = DEFAULTS.leafMs, authorityMs = DEFAULTS.authorityMs } = settings;
  if (!(authorityMs >= 4 * leafMs))
    throw new RangeError('serving certificate: an authority has to live at least four times as long as what it signs');
  return new SelfMadeCertificate(settings, deps);
}

class SelfMadeCertificate implements ServingSource {
  readonly #settings: ServingSettings;
  readonly #deps: ServingDeps;
  readonly #secret: SharedSecret;
  readonly #bundle: BundleKeeper;
  readonly #watches: readonly ObjectWatch<string>[];
  readonly #listeners = new Set<(certificate: ServedCertificate) => void>();
  readonly #settleMs: number;
  #served: (ServedCertificate & { readonly authority: string; readonly fingerprint: string }) | undefined;
  #problem: string | undefined;
  #trusted = false;
  #failures = 0;
  #stopped = false;
  #running: Promise<void> | undefined;
  /** Something changed since the last look began. */
  #changed = false;
  #wake: () => void = () => undefined;

  constructor(settings: ServingSettings, deps: ServingDeps) {
    const { namespace, secret, configuration, dnsNames } = settings;
    const { api, clock, random } = deps;
    const { leafMs = DEFAULTS.leafMs, authorityMs = DEFAULTS.authorityMs, settleMs = DEFAULTS.settleMs } = settings;
    this.#settings = settings;
    this.#deps = deps;
    this.#settleMs = settleMs;
    this.#secret = createSharedSecret(
      { namespace, name: secret, dnsNames, leafMs, authorityMs },
      { api, clock, random, log: deps.log },
    );
    this.#bundle = createBundleKeeper({ name: configuration, settleMs }, { api, clock, log: deps.log });
    this.#watches = [
      this.#watch({ ...SECRETS, namespace }, secret),
      this.#watch(WEBHOOK_CONFIGURATIONS, configuration),
    ];
  }

  start(): void {
    if (this.#running !== undefined) return;
    for (const watch of this.#watches) {
      watch.onChange(() => this.#look());
      watch.start();
    }
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await Promise.all([...this.#watches.map((watch) => watch.stop()), this.#running]);
  }

  current(): ServedCertificate | undefined {
    return this.#served;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  get trusted(): boolean {
    return this.#trusted;
  }

  onChange(listener: (certificate: ServedCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Only a sign that it is worth a look; what counts is read anew then. */
  #watch(resource: Resource, name: string): ObjectWatch<string> {
    const { api, clock, random, timer } = this.#deps;
    const settings = { resource, fieldSelector: `metadata.name=${name}`, metadataOnly: true, maxObjects: 16 };
    return watchObjects(settings, { api, read: versionOf, clock, random, timer });
  }

  async #follow(): Promise<void> {
    while (!this.#stopped) {
      this.#changed = false;
      const fault = await this.#round();
      this.#failures = fault === undefined ? 0 : this.#failures + 1;
      this.#say(fault);
      await this.#pause();
    }
  }

  async #round(): Promise<string | undefined> {
    const announced = (fingerprint: string): boolean => this.#bundle.believedForMs(fingerprint) >= this.#settleMs;
    const shared = await this.#secret.settle(announced);
    if (!shared.ok) return textOf(shared.error);
    const { state } = shared.value;
    const patched = await this.#bundle.settle(state, this.#served?.authority);
    if (patched.ok) this.#serve(state);
    // While the API server is away nothing new is known of what it believes.
    else if (typeof patched.error === 'string' || patched.error.kind === 'not_found') this.#trusted = false;
    return patched.ok ? undefined : textOf(patched.error);
  }

  /** Puts the shared leaf to work once it is believed; another authority's, while the last one is still good, only when everybody has heard of it. */
  #serve({ authority, leaf }: ServingState): void {
    const served = this.#served;
    const believedMs = this.#bundle.believedForMs(authority.fingerprint);
    const lastIsGood =
      served !== undefined &&
      served.authority !== authority.fingerprint &&
      this.#deps.clock.wallMs() < served.notAfterMs &&
      this.#bundle.believedForMs(served.authority) >= 0;
    const ready = believedMs >= (lastIsGood ? this.#settleMs : 0);
    if (ready && served?.fingerprint !== leaf.fingerprint) {
      const { certificate, privateKey, notAfterMs, fingerprint } = leaf;
      this.#served = { certificate, privateKey, notAfterMs, fingerprint, authority: authority.fingerprint };
      const until = new Date(notAfterMs).toISOString();
      this.#deps.log.info({ until, sha256: fingerprint }, 'serving certificate: a new one is served');
      for (const listener of this.#listeners) listener(this.#served);
    }
    this.#trusted = this.#served !== undefined && this.#bundle.believedForMs(this.#served.authority) >= 0;
  }

  #say(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem)
      this.#deps.log.warn({ problem }, 'serving certificate: it cannot be looked after; the last good one stays');
    this.#problem = problem;
  }

  #look(): void {
    this.#changed = true;
    this.#wake();
  }

  /** Until the next regular look, or a change; after a failure changes do not shorten it. */
  async #pause(): Promise<void> {
    const { random, timer } = this.#deps;
    const { lookMs = DEFAULTS.lookMs } = this.#settings;
    const failed = this.#failures > 0;
    if (this.#stopped || (this.#changed && !failed)) return;
    const ms = failed
      ? backOffMs(this.#failures, FIRST_WAIT_MS, LAST_WAIT_MS, random)
      : between(lookMs / 2, lookMs, random);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = () => {
      if (!failed || this.#stopped) resolve();
    };
    const cancel = timer(ms, resolve);
    await promise;
    cancel();
  }
}

function versionOf({ metadata }: KubeObject): string {
  return metadata.resourceVersion ?? '';
}

function textOf(fault: ApiFault | string): string {
  return typeof fault === 'string' ? fault : fault.detail;
}
