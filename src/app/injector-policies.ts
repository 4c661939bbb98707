import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { InjectorConfig } from '../core/config/injector-config.ts';
import type { TrustDomain } from '../core/kernel/brand.ts';
import { err, ok, type Result } from '../core/kernel/result.ts';
import type { ApiClient } from '../io/kube/api-client.ts';
import { CONFIG_MAPS, NAMESPACES, type KubeObject, type Resource } from '../io/kube/api-resource.ts';
import { watchObjects, type ObjectWatch } from '../io/kube/watch-objects.ts';
import type { PolicyService } from '../io/policy-service/policy-service.ts';
import type { NamespacePolicy, PolicyWorld } from '../io/policy-service/settings.ts';
import { createSource, type Source } from '../io/sources/follower.ts';
import { fingerprint } from '../io/sources/fingerprint.ts';
import { reasonOf, type Problems } from '../io/sources/problem.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createRandom, systemClock } from './system.ts';

/** Namespaces with this label take part. */
const TAKES_PART = 'sallyport.dev/inject=enabled';

/** Names the rule that a namespace's policy is asked. */
const DECISION = 'sallyport.dev/decision';

/** A ConfigMap holds at most 1 MiB (Kubernetes). */
const MAX_PLATFORM = 1_048_576;

/** Changes that come within this time are told together, milliseconds. Counted from the first of them: whoever changes something all the time holds nobody up. */
const GATHER_MS = 200;

const SERVICE_ACCOUNTS = { group: '', version: 'v1', plural: 'serviceaccounts' } as const;

type Settings = NonNullable<InjectorConfig['policyService']>;
type Labels = Readonly<Record<string, string>>;
type Files = ReadonlyMap<string, string>;

/** The namespaces that take part, and what their policies are made of: followed, and told to the policy service. */
export interface ClusterPolicies {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Labels of a namespace; none where it is not known. */
  labels(namespace: string): Labels;
  /** What is missing until policies can be served; undefined where nothing is. */
  readonly missing: string | undefined;
  /** What is followed, for metrics. */
  readonly watches: readonly { readonly resource: string; readonly staleSinceMs: number | undefined }[];
}

export type ClusterPoliciesDeps = {
  readonly api: ApiClient;
  readonly service: PolicyService;
  /** What is wrong with the platform's own folder. */
  readonly onProblem: (problems: Problems | undefined) => void;
};

/** Joins the cluster's namespaces and ConfigMaps, and the platform's folder, to the policy service. Without effects until it is started. */
export function followClusterPolicies(
  settings: Settings,
  trustDomain: TrustDomain,
  deps: ClusterPoliciesDeps,
): ClusterPolicies {
  return new Joined(settings, trustDomain, deps);
}

class Joined implements ClusterPolicies {
  readonly #settings: Settings;
  readonly #trustDomain: TrustDomain;
  readonly #service: PolicyService;
  readonly #namespaces: ObjectWatch<Labels>;
  readonly #policies: ObjectWatch<NamespacePolicy>;
  readonly #candidates: ObjectWatch<NamespacePolicy>;
  readonly #accounts: ObjectWatch<Labels> | undefined;
  readonly #platform: Source<Files> | undefined;
  #cancelGather: (() => void) | undefined;

  constructor(settings: Settings, trustDomain: TrustDomain, { api, service, onProblem }: ClusterPoliciesDeps) {
    this.#settings = settings;
    this.#trustDomain = trustDomain;
    this.#service = service;
    const { configMap, candidateConfigMap, serviceAccounts, platform } = settings;
    const world = { api, clock: systemClock, random: createRandom(), timer: systemTimer };
    const follow = <T>(resource: Resource, selection: object, read: (object: KubeObject) => T | undefined) =>
      watchObjects({ resource, ...selection }, { ...world, read });
    this.#namespaces = follow(NAMESPACES, { labelSelector: TAKES_PART, metadataOnly: true }, labelsOf);
    this.#policies = follow(CONFIG_MAPS, named(configMap), policyOf);
    this.#candidates = follow(CONFIG_MAPS, named(candidateConfigMap), policyOf);
    this.#accounts = serviceAccounts ? follow(SERVICE_ACCOUNTS, { metadataOnly: true }, labelsOf) : undefined;
    const onChange = (): void => this.#changed();
    this.#platform = platform === undefined ? undefined : platformSource(platform, onChange, onProblem);
    for (const watch of this.#all) watch.onChange(onChange);
  }

  get #all(): readonly ObjectWatch<unknown>[] {
    return [this.#namespaces, this.#policies, this.#candidates, ...(this.#accounts ? [this.#accounts] : [])];
  }

  async start(): Promise<void> {
    for (const watch of this.#all) watch.start();
    await this.#platform?.start();
  }

  async stop(): Promise<void> {
    this.#cancelGather?.();
    this.#platform?.stop();
    await Promise.all(this.#all.map((watch) => watch.stop()));
  }

  labels(namespace: string): Labels {
    return this.#namespaces.current().get(namespace) ?? {};
  }

  get missing(): string | undefined {
    if (this.#platform !== undefined && this.#platform.current === undefined)
      return `the platform's rules cannot be read: ${this.#platform.problem?.join('; ') ?? 'not read yet'}`;
    const unknown = this.#all.find((watch) => !watch.synced);
    if (unknown !== undefined) return unknown.problem?.detail ?? 'the API server has not told of all namespaces yet';
    return this.#service.synced ? undefined : 'policies are being built for the first time';
  }

  get watches(): ClusterPolicies['watches'] {
    const names = ['namespaces', 'configmaps', 'candidate-configmaps', 'serviceaccounts'];
    return this.#all.map(({ staleSinceMs }, index) => ({ resource: names[index] ?? '', staleSinceMs }));
  }

  #changed(): void {
    this.#cancelGather ??= systemTimer(GATHER_MS, () => {
      this.#cancelGather = undefined;
      this.#tell();
    });
  }

  /** Nothing is told before everything is known: a policy that was not heard of yet would look like one that is not there. */
  #tell(): void {
    const platform = this.#platform === undefined ? new Map<string, string>() : this.#platform.current;
    if (platform === undefined || this.#all.some((watch) => !watch.synced)) return;
    this.#service.update(this.#world(platform));
  }

  #world(files: Files): PolicyWorld {
    const { configMap, candidateConfigMap, library, serviceAccounts } = this.#settings;
    const accounts = accountsByNamespace(this.#accounts?.current() ?? new Map());
    const names = [...this.#namespaces.current()];
    return {
      platform: { files, library },
      namespaces: new Map(
        names.map(([name]) => {
          const policy = this.#policies.current().get(`${name}/${configMap}`);
          const candidate = this.#candidates.current().get(`${name}/${candidateConfigMap}`);
          return [name, { policy, candidate }];
        }),
      ),
      cluster: {
        trustDomain: this.#trustDomain,
        namespaces: new Map(
          names.map(([name, labels]) => [name, { labels, serviceAccounts: accounts.get(name) ?? new Map() }]),
        ),
        accountSegments: serviceAccounts,
      },
    };
  }
}

/** Of all namespaces those of this name: as much as the role of the injector lets it see. */
function named(name: string): { readonly fieldSelector: string } {
  return { fieldSelector: `metadata.name=${name}` };
}

function labelsOf({ metadata }: KubeObject): Labels {
  return metadata.labels ?? {};
}

/** Texts of a ConfigMap; `binaryData` is nothing that a policy could be read from, and is left to be missed by the compiler. */
function policyOf({ metadata, data }: KubeObject): NamespacePolicy {
  const texts = typeof data === 'object' && data !== null ? Object.entries(data) : [];
  const files = new Map(texts.flatMap(([name, text]) => (typeof text === 'string' ? [[name, text] as const] : [])));
  return { files, decision: metadata.annotations?.[DECISION] };
}

function accountsByNamespace(accounts: ReadonlyMap<string, Labels>): ReadonlyMap<string, ReadonlyMap<string, Labels>> {
  const byNamespace = new Map<string, Map<string, Labels>>();
  for (const [key, labels] of accounts) {
    const [namespace = '', name = ''] = key.split('/');
    const known = byNamespace.get(namespace) ?? new Map<string, Labels>();
    byNamespace.set(namespace, known.set(name, labels));
  }
  return byNamespace;
}

/** Keys of a mounted ConfigMap. The kubelet keeps what belongs to itself under names with two dots, and keys of nobody begin so. */
async function keysOf(folder: string): Promise<Result<readonly string[], Problems>> {
  try {
    return ok((await readdir(folder)).filter((name) => !name.startsWith('..')).sort());
  } catch (error) {
    // Not a folder without keys: the platform's rules would be gone.
    return err([`${folder}: ${reasonOf(error)}`]);
  }
}

/** Every key: what is no policy is told by its name where the policy is composed, and not passed over. */
async function readKeys(folder: string): Promise<Result<Files, Problems>> {
  const listed = await keysOf(folder);
  if (!listed.ok) return listed;
  const keys = listed.value;
  const read = await Promise.all(
    keys.map(async (key) => [key, await readBounded(join(folder, key), MAX_PLATFORM)] as const),
  );
  const problems = read.flatMap(([, file]) => (file.ok ? [] : [file.error]));
  if (problems.length > 0) return err(problems);
  const decoder = new TextDecoder();
  return ok(
    new Map(read.flatMap(([key, file]) => (file.ok ? [[key, decoder.decode(file.value.bytes)] as const] : []))),
  );
}

/** The platform's folder, a mounted ConfigMap: read whole, again and again. */
function platformSource(
  folder: string,
  onChange: () => void,
  onProblem: (problems: Problems | undefined) => void,
): Source<Files> {
  return createSource<Files, Files>(
    {
      fingerprint: async () => {
        const keys = await keysOf(folder);
        return keys.ok ? fingerprint(keys.value.map((key) => join(folder, key))) : keys.error.join();
      },
      folders: () => [folder],
      read: () => readKeys(folder),
      digest: (files) => JSON.stringify([...files]),
      apply: async (files) => ok(files),
    },
    { onChange, onProblem },
  );
}
