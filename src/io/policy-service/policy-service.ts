import { clusterData, type ClusterData } from '../../core/composition/cluster-data.ts';
import { BundleBuild, type Platform } from './bundle-build.ts';
import { digestOf } from './build-cache.ts';
import { BundleHttp } from './bundle-http.ts';
import { PublishedBundles, type BundleName } from './published-bundles.ts';
import { TakenParts, type Part } from './taken-parts.ts';

import type { Result } from '../../core/kernel/result.ts';
import type {
  BuildFault,
  NamespacePolicy,
  PolicyServiceConfig,
  PolicyServiceDeps,
  PolicySubject,
  PolicyWorld,
} from './settings.ts';

/** Composes, compiles and serves the policies of all namespaces. */
export interface PolicyService {
  /** Binds; resolves with the address in use. Until the first `update` every answer is 503. */
  start(): Promise<{ readonly address: string; readonly port: number }>;
  /** What should be served from now on. Builds go on by themselves; where one fails, its last good bundle stays. */
  update(world: PolicyWorld): void;
  /** Resolves when everything of the last `update` was built or given up. */
  settled(): Promise<void>;
  /** True once everything of the first `update` was built or given up, however much changes meanwhile. */
  readonly synced: boolean;
  /** What is wrong now, by `namespace`, `namespace/candidate`, and `''` for the platform. */
  problems(): ReadonlyMap<string, readonly string[]>;
  /** Revisions that are served, by `namespace` and `namespace/candidate`. */
  revisions(): ReadonlyMap<string, string>;
  /** Requests that wait for another bundle. */
  readonly held: number;
  stop(): Promise<void>;
}

/** Creates the service without effects. */
export function createPolicyService(config: PolicyServiceConfig, deps: PolicyServiceDeps): PolicyService {
  return new Service(config, deps);
}

/** A build that failed for no fault of the policy is tried again after this, milliseconds; twice as long after each time that it failed again. */
const RETRY_MS = 5_000;
const LAST_RETRY_MS = 320_000;

/** Problems that are told of one policy, and characters of each: they go into events and logs. */
const MAX_PROBLEMS = 20;
const MAX_PROBLEM = 1_000;

/** Keys of what is everybody's, which no namespace can have. */
const PLATFORM = '';
const CLUSTER = '/';

type Prepared = { readonly key: string; readonly platform: Result<Platform, BuildFault> };

class Service implements PolicyService {
  readonly #deps: PolicyServiceDeps;
  readonly #build: BundleBuild;
  readonly #bundles = new PublishedBundles();
  readonly #http: BundleHttp;
  readonly #problems = new Map<string, readonly string[]>();
  /** What each bundle was last built from, so that nothing is built twice. */
  readonly #builtFrom = new Map<string, string>();
  #world: PolicyWorld | undefined;
  #cluster: ClusterData | undefined;
  /** What all is made of, by `namespace`, `namespace/candidate` and the keys of what is everybody's. */
  readonly #parts = new TakenParts();
  #prepared: Prepared | undefined;
  /** Bundles to be looked at, by name: however often something changes, each is there once. */
  #due = new Map<string, BundleName>();
  #working: Promise<void> | undefined;
  /** Bundles of the first `update` that were not looked at yet; undefined before it. */
  #unseen: Set<string> | undefined;
  /** Failed and to be tried again, how often in a row. Not before it is time: whoever's policy ends the compiler would keep it from all others. */
  readonly #again = new Map<string, { readonly times: number; readonly cancel: () => void }>();
  #stopped = false;

  constructor({ listen }: PolicyServiceConfig, deps: PolicyServiceDeps) {
    this.#deps = deps;
    this.#build = new BundleBuild(deps);
    this.#http = new BundleHttp(listen, this.#bundles, deps);
  }

  get synced(): boolean {
    return this.#unseen?.size === 0;
  }

  get held(): number {
    return this.#http.held;
  }

  start(): Promise<{ readonly address: string; readonly port: number }> {
    return this.#http.start();
  }

  update(world: PolicyWorld): void {
    if (this.#stopped) return;
    this.#cluster = clusterData(world.cluster);
    this.#world = world;
    const names = [...world.namespaces].flatMap(([namespace, { candidate }]) => [
      { namespace, candidate: false },
      ...(candidate === undefined ? [] : [{ namespace, candidate: true }]),
    ]);
    this.#unseen ??= new Set(names.map(keyOf));
    this.#bundles.expect(names);
    this.#forgetOthers(names);
    this.#takeParts(world, this.#cluster, names);
    for (const name of names) this.#due.set(keyOf(name), name);
    this.#work();
  }

  async settled(): Promise<void> {
    await this.#working;
  }

  problems(): ReadonlyMap<string, readonly string[]> {
    return new Map(this.#problems);
  }

  revisions(): ReadonlyMap<string, string> {
    const names = [...(this.#world?.namespaces.keys() ?? [])].flatMap((namespace) => [
      { namespace, candidate: false },
      { namespace, candidate: true },
    ]);
    return new Map(
      names.flatMap((name) => {
        const revision = this.#bundles.revision(name);
        return revision === undefined ? [] : [[keyOf(name), revision]];
      }),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#due.clear();
    for (const { cancel } of this.#again.values()) cancel();
    await this.#http.stop();
    await this.#working;
  }

  /** At once and not when they are built: a replica that is busy hears of nothing later. */
  #takeParts({ platform, namespaces }: PolicyWorld, { data }: ClusterData, names: readonly BundleName[]): void {
    const nowMs = this.#deps.clock.wallMs();
    this.#parts.take(PLATFORM, digestOf(platform.files, platform.library ?? false), nowMs);
    this.#parts.take(CLUSTER, digestOf(data), nowMs);
    for (const name of names) {
      const state = namespaces.get(name.namespace);
      const policy = name.candidate ? state?.candidate : state?.policy;
      this.#parts.take(keyOf(name), digestOf(policy?.files, policy?.decision), nowMs);
    }
  }

  #work(): void {
    this.#working ??= this.#workAll().finally(() => {
      this.#working = undefined;
    });
  }

  async #workAll(): Promise<void> {
    // Whoever calls `update` goes on first.
    await Promise.resolve();
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- builds go one after the other: there is one compiler
      const platform = await this.#platform();
      const [next] = this.#due;
      if (next === undefined) break;
      const [key, name] = next;
      this.#due.delete(key);
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (platform !== undefined) await this.#look(name, platform);
      this.#unseen?.delete(key);
    }
  }

  /** The platform's side as it is now; undefined where it is no good: then nothing is built, and everything stays as it is. */
  async #platform(): Promise<{ readonly platform: Platform; readonly part: Part } | undefined> {
    const part = this.#parts.get(PLATFORM);
    if (this.#world === undefined || part === undefined || this.#stopped) return undefined;
    const { platform } = this.#world;
    const key = part.digest;
    if (this.#prepared?.key !== key) {
      this.#prepared = { key, platform: await this.#guarded(() => this.#build.platform(platform)) };
      this.#tell({ kind: 'platform' }, this.#prepared.platform);
    }
    const prepared = this.#prepared.platform;
    return prepared.ok ? { platform: prepared.value, part } : undefined;
  }

  async #look(name: BundleName, { platform, part }: { platform: Platform; part: Part }): Promise<void> {
    const state = this.#world?.namespaces.get(name.namespace);
    const [own, ofCluster] = [this.#parts.get(keyOf(name)), this.#parts.get(CLUSTER)];
    const cluster = this.#cluster;
    if (state === undefined || cluster === undefined || own === undefined || ofCluster === undefined) return;
    const policy = name.candidate ? state.candidate : state.policy;
    if (name.candidate && policy === undefined) return;
    const key = keyOf(name);
    const parts = [part, own, ofCluster] as const;
    const from = parts.map(({ digest, sinceMs }) => `${digest}-${sinceMs}`).join();
    if (this.#builtFrom.get(key) === from) return;
    const built = await this.#guarded(() => this.#build.bundle(name.namespace, policy, platform, cluster));
    // What is not expected any more is nobody's problem.
    if (this.#stopped || !this.#isWanted(name, policy)) return;
    this.#builtFrom.set(key, from);
    this.#tell({ kind: name.candidate ? 'candidate' : 'policy', namespace: name.namespace }, built);
    if (!built.ok) return;
    const { revision } = built.value;
    if (this.#bundles.revision(name) !== revision)
      this.#deps.log.info({ namespace: name.namespace, candidate: name.candidate, revision }, 'policy served');
    this.#bundles.publish(name, { ...built.value, parts });
  }

  #isWanted(name: BundleName, policy: NamespacePolicy | undefined): boolean {
    const state = this.#world?.namespaces.get(name.namespace);
    return state !== undefined && (!name.candidate || state.candidate !== undefined || policy === undefined);
  }

  /** What throws on content from outside is a fault of ours, and costs nobody else their policy. */
  async #guarded<T>(work: () => Promise<Result<T, BuildFault>>): Promise<Result<T, BuildFault>> {
    try {
      return await work();
    } catch (error) {
      return { ok: false, error: { problems: [`a fault of ours: ${String(error)}`], again: false } };
    }
  }

  #tell(subject: PolicySubject, result: Result<unknown, BuildFault>): void {
    const key = subject.kind === 'platform' ? '' : keyOf({ ...subject, candidate: subject.kind === 'candidate' });
    const problems = result.ok ? undefined : bounded(result.error.problems);
    if (!result.ok && result.error.again) this.#retryLater(key);
    else this.#forgetRetry(key);
    if (problems?.join('\n') === this.#problems.get(key)?.join('\n')) return;
    if (problems === undefined) {
      this.#problems.delete(key);
      this.#deps.log.info({ ...subject }, 'the policy is good again');
    } else {
      this.#problems.set(key, problems);
      this.#deps.log.warn({ ...subject, problems }, 'the policy is no good; the last good one stays');
    }
    this.#deps.onProblem?.(subject, problems);
  }

  #retryLater(key: string): void {
    const times = this.#again.get(key)?.times ?? 0;
    this.#forgetRetry(key);
    const cancel = this.#deps.timer(Math.min(RETRY_MS * 2 ** times, LAST_RETRY_MS), () => this.#retry(key));
    this.#again.set(key, { times: times + 1, cancel });
  }

  #retry(key: string): void {
    if (key === '') this.#prepared = undefined;
    else this.#builtFrom.delete(key);
    if (this.#world !== undefined) this.update(this.#world);
  }

  #forgetRetry(key: string): void {
    this.#again.get(key)?.cancel();
    this.#again.delete(key);
  }

  #forgetOthers(names: readonly BundleName[]): void {
    const keys = new Set(names.map(keyOf));
    for (const key of this.#builtFrom.keys()) if (!keys.has(key)) this.#builtFrom.delete(key);
    for (const key of this.#unseen ?? []) if (!keys.has(key)) this.#unseen?.delete(key);
    for (const key of this.#again.keys()) if (key !== '' && !keys.has(key)) this.#forgetRetry(key);
    this.#parts.keep(new Set([PLATFORM, CLUSTER, ...keys]));
    for (const key of this.#problems.keys()) if (key !== '' && !keys.has(key)) this.#problems.delete(key);
    this.#due = new Map([...this.#due].filter(([key]) => keys.has(key)));
  }
}

function keyOf({ namespace, candidate }: BundleName): string {
  return candidate ? `${namespace}/candidate` : namespace;
}

function bounded(problems: readonly string[]): readonly string[] {
  const more = problems.length - MAX_PROBLEMS;
  const told = problems.slice(0, MAX_PROBLEMS).map((problem) => problem.slice(0, MAX_PROBLEM));
  return more > 0 ? [...told, `and ${more} more`] : told;
}
