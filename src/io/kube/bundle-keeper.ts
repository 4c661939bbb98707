import { err, ok } from '../../core/kernel/result.ts';
import { WEBHOOK_CONFIGURATIONS } from './api-resource.ts';
import { caBundlePatch, inAny, inEvery, readCaBundles } from './ca-bundle.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFault } from './api-fault.ts';
import type { CaBundles, Certificates } from './ca-bundle.ts';
import type { ServingState } from './serving-state.ts';

export type BundleKeeperDeps = {
  readonly api: Pick<ApiClient, 'get' | 'patch'>;
  readonly clock: Clock;
  readonly log: { info(fields: Readonly<Record<string, unknown>>, message: string): void };
};

/** Sees to it that the API server believes what the replicas serve. */
export interface BundleKeeper {
  /** Reads the configuration and patches it where it has to be. `served`: fingerprint of the authority of what we serve. */
  settle(state: ServingState, served: string | undefined): Promise<Result<undefined, ApiFault | string>>;
  /** How long every webhook has been seen to believe an authority without a break, milliseconds; negative where that is not so. */
  believedForMs(fingerprint: string): number;
}

const MAX_TURNS = 5;

/**
 * Creates it without effects. It touches `caBundle` of the webhooks of the configuration `name`, and nothing else. What is in there and not shared
 * by the replicas goes after `settleMs`: until then a replica may not have heard yet that it is not.
 */
export function createBundleKeeper(
  settings: { readonly name: string; readonly settleMs: number },
  deps: BundleKeeperDeps,
): BundleKeeper {
  return new ConfigurationKeeper(settings, deps);
}

class ConfigurationKeeper implements BundleKeeper {
  readonly #settings: { readonly name: string; readonly settleMs: number };
  readonly #deps: BundleKeeperDeps;
  /** Since when, by the monotonic clock. */
  readonly #believed = new Map<string, number>();
  readonly #unknown = new Map<string, number>();

  constructor(settings: { readonly name: string; readonly settleMs: number }, deps: BundleKeeperDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  believedForMs(fingerprint: string): number {
    const since = this.#believed.get(fingerprint);
    return since === undefined ? -1 : this.#deps.clock.monotonicMs() - since;
  }

  async settle(state: ServingState, served: string | undefined): Promise<Result<undefined, ApiFault | string>> {
    const { name } = this.#settings;
    const resource = { ...WEBHOOK_CONFIGURATIONS, name };
    const wanted = wantedOf(state);
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const found = await this.#deps.api.get(resource);
      if (!found.ok) return found;
      const bundles = readCaBundles(found.value);
      if (!bundles.ok) return bundles;
      const patch = caBundlePatch(bundles.value, wanted, this.#keeper(bundles.value, wanted, served));
      if (patch === undefined) {
        this.#see(bundles.value);
        return ok(undefined);
      }
      const patched = await this.#deps.api.patch(resource, { kind: 'json', patch });
      // Read again either way: what counts is what is stored, not what was asked for.
      if (patched.ok) this.#deps.log.info({ configuration: name, authorities: wanted.size }, 'caBundle was patched');
      else if (patched.error.kind !== 'conflict') return patched;
    }
    return err(`MutatingWebhookConfiguration ${name}: its caBundle changes all the time; who else writes it?`);
  }

  /** Whether something that is not wanted stays for now. */
  #keeper(bundles: CaBundles, wanted: Certificates, served: string | undefined): (fingerprint: string) => boolean {
    const now = this.#deps.clock.monotonicMs();
    const there = [...inAny(bundles)].filter((one) => !wanted.has(one));
    remember(this.#unknown, there, now);
    return (fingerprint) =>
      fingerprint === served || now - (this.#unknown.get(fingerprint) ?? now) < this.#settings.settleMs;
  }

  #see(bundles: CaBundles): void {
    remember(this.#believed, [...inEvery(bundles)], this.#deps.clock.monotonicMs());
  }
}

function wantedOf({ authority, next, old }: ServingState): Certificates {
  const all = [old, authority, next].filter((one) => one !== undefined);
  return new Map(all.map(({ fingerprint, certificate }) => [fingerprint, certificate]));
}

/** Keeps since when each of `present` has been there; forgets all others. */
function remember(since: Map<string, number>, present: readonly string[], now: number): void {
  for (const key of since.keys()) if (!present.includes(key)) since.delete(key);
  for (const key of present) if (!since.has(key)) since.set(key, now);
}
