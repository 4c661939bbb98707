import { err, ok } from '../../core/kernel/result.ts';
import { SECRETS } from './api-resource.ts';
import { servingStep } from './serving-plan.ts';
import { readServingSecret, writeServingSecret } from './serving-state.ts';
import { takeStep } from './serving-steps.ts';

import type { Clock, Random } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject } from './api-resource.ts';
import type { ServingLives } from './serving-plan.ts';
import type { ServingState } from './serving-state.ts';

export type SharedSecretSettings = ServingLives & {
  readonly namespace: string;
  readonly name: string;
  readonly dnsNames: readonly [string, ...string[]];
};

export type SharedSecretDeps = {
  readonly api: Pick<ApiClient, 'get' | 'create' | 'update'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: {
    info(fields: Readonly<Record<string, unknown>>, message: string): void;
    warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  };
};

/** What the replicas share, in one Secret. */
export interface SharedSecret {
  /** Reads it, does what has to be done, and gives it as it is stored then. */
  settle(
    announced: (fingerprint: string) => boolean,
  ): Promise<Result<{ readonly state: ServingState }, ApiFault | string>>;
}

/** Steps and lost races of one look; more means that somebody else writes all the time. */
const MAX_TURNS = 10;

/** Creates it without effects. */
export function createSharedSecret(settings: SharedSecretSettings, deps: SharedSecretDeps): SharedSecret {
  return new LeaderlessSecret(settings, deps);
}

type Read = { readonly secret: KubeObject | undefined; readonly state: ServingState | undefined };

class LeaderlessSecret implements SharedSecret {
  readonly #settings: SharedSecretSettings;
  readonly #deps: SharedSecretDeps;

  constructor(settings: SharedSecretSettings, deps: SharedSecretDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async settle(
    announced: (fingerprint: string) => boolean,
  ): Promise<Result<{ readonly state: ServingState }, ApiFault | string>> {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const read = await this.#read();
      if (!read.ok) return read;
      const { state, secret } = read.value;
      const step = servingStep(state, this.#settings, announced, this.#deps.clock.wallMs());
      if (step === undefined && state !== undefined) return ok({ state });
      const next = await takeStep(state, step ?? 'begin', { ...this.#settings, ...this.#deps });
      if (!next.ok) return next;
      const written = await this.#write(secret, next.value);
      if (written.ok) this.#deps.log.info({ step }, 'serving certificate: the shared Secret was brought forward');
      // Somebody else was faster: what they stored is what counts.
      else if (written.error.kind !== 'conflict') return written;
    }
    return err(`Secret ${this.#settings.name}: it changes all the time; who else writes it?`);
  }

  async #read(): Promise<Result<Read, ApiFault>> {
    const { namespace, name, dnsNames } = this.#settings;
    const found = await this.#deps.api.get({ ...SECRETS, namespace, name });
    if (!found.ok) return found.error.kind === 'not_found' ? ok({ secret: undefined, state: undefined }) : found;
    // As the chart makes it: whoever comes first fills it.
    if (Object.keys(found.value['data'] ?? {}).length === 0) return ok({ secret: found.value, state: undefined });
    const state = readServingSecret(found.value, dnsNames);
    if (state.ok) return ok({ secret: found.value, state: state.value });
    this.#deps.log.warn({ problem: state.error }, 'serving certificate: the shared Secret is no good and is made anew');
    return ok({ secret: found.value, state: undefined });
  }

  #write(secret: KubeObject | undefined, state: ServingState): Promise<Result<KubeObject, ApiFault>> {
    const { namespace, name } = this.#settings;
    const { api } = this.#deps;
    if (secret !== undefined) return api.update({ ...SECRETS, namespace, name }, writeServingSecret(secret, state));
    const labels = { 'app.kubernetes.io/managed-by': 'sallyport', 'app.kubernetes.io/part-of': 'sallyport' };
    const empty = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace, labels } };
    return api.create({ ...SECRETS, namespace }, writeServingSecret(empty, state));
  }
}
