import { manifestJson, writeBundle } from '../../core/bundle/write-bundle.ts';
import { composePolicy } from '../../core/composition/compose-policy.ts';
import { COMPOSED_ENTRYPOINT } from '../../core/composition/composed-module.ts';
import { libraryBeside, platformProblems } from '../../core/composition/ownership.ts';
import { PLATFORM_ENTRYPOINT, platformReads } from '../../core/composition/platform-reads.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import { DEFAULT_DECISION, LOG_ENTRYPOINTS } from '../../core/model/policy.ts';
import { BuildCache, digestOf } from './build-cache.ts';
import { readPart } from './part-reader.ts';

import type { ClusterData } from '../../core/composition/cluster-data.ts';
import type { Declarations, PolicyPart } from '../../core/composition/policy-part.ts';
import type {
  BuildFault,
  CompiledRego,
  NamespacePolicy,
  PolicyFiles,
  PolicyServiceDeps,
  PolicyWorld,
} from './settings.ts';

/** A bundle, ready to be served. */
export type BuiltBundle = {
  /** `sha256:` and 64 hexadecimal digits over all that it was made of: the same in every replica. */
  readonly revision: string;
  readonly archive: Uint8Array;
};

/** The platform's side, judged: what every namespace's policy is composed with. */
export type Platform = {
  readonly rules: PolicyPart;
  readonly library: PolicyPart | undefined;
  /** The policy of namespaces without one. */
  readonly fallback: PolicyFiles | undefined;
};

const DEFAULT_FILE = 'default.rego';

/** Compilations, and readings of declarations, that are kept: a namespace that changes its policy again and again must not fill our memory. */
const KEPT = { entries: 256, bytes: 67_108_864 } as const;
/** Of a declaration in memory, about. */
const DECLARED_BYTES = 256;

/** Makes bundles. What was compiled once is compiled again only when its Rego changes. */
export class BundleBuild {
  readonly #deps: PolicyServiceDeps;
  readonly #compiled = new BuildCache<CompiledRego>(KEPT, compiledBytes);
  readonly #declared = new BuildCache<Declarations>(KEPT, declaredBytes);

  constructor(deps: PolicyServiceDeps) {
    this.#deps = deps;
  }

  /** Judges the platform's files by themselves: nothing of a namespace can stand in for what they lack. */
  async platform({ files, library = false }: PolicyWorld['platform']): Promise<Result<Platform, BuildFault>> {
    const fallback = files.get(DEFAULT_FILE);
    const rules = await this.#part(new Map([...files].filter(([name]) => name !== DEFAULT_FILE)), 'platform');
    if (!rules.ok) return rules;
    const brought = library ? await this.#part(await this.#deps.library(), 'library') : ok(undefined);
    if (!brought.ok) return brought;
    const problems = platformProblems(rules.value);
    if (problems.length > 0) return failed(problems);
    const alone = await this.#standsAlone(rules.value, brought.value);
    if (!alone.ok) return alone;
    return ok({
      rules: rules.value,
      library: brought.value,
      fallback: fallback === undefined ? undefined : new Map([[DEFAULT_FILE, fallback]]),
    });
  }

  /** Makes the bundle of a namespace. `policy`: undefined for the platform's default. */
  async bundle(
    namespace: string,
    policy: NamespacePolicy | undefined,
    { rules, library, fallback }: Platform,
    cluster: ClusterData,
  ): Promise<Result<BuiltBundle, BuildFault>> {
    const files = policy?.files ?? fallback;
    const part = files === undefined ? ok(undefined) : await this.#part(files, policy ? 'namespace' : 'platform');
    if (!part.ok) return part;
    const decision = policy?.decision ?? DEFAULT_DECISION;
    const own = { name: namespace, part: part.value, decision };
    const composed = composePolicy({ platform: rules, library, namespace: own, cluster });
    if (!composed.ok) return failed(composed.error);
    const { rego, data, entrypoint } = composed.value;
    const compiled = await this.#compile(rego, entrypoint);
    if (!compiled.ok) return compiled;
    const { policyWasm, planJson } = compiled.value;
    const dataJson = JSON.stringify(data);
    const revision = `sha256:${digestOf(rego, entrypoint, dataJson)}`;
    const manifest = manifestJson(revision, compiled.value.entrypoints.filter(isServed));
    return ok({ revision, archive: writeBundle({ manifestJson: manifest, policyWasm, planJson, dataJson }) });
  }

  async #standsAlone(rules: PolicyPart, library: PolicyPart | undefined): Promise<Result<undefined, BuildFault>> {
    if (rules.rego.size === 0) return ok(undefined);
    const beside = library === undefined ? [] : libraryBeside(library, 'all');
    const compiled = await this.#compile(new Map([...beside, ...rules.rego]), PLATFORM_ENTRYPOINT);
    if (!compiled.ok) return compiled;
    const problems = platformReads(JSON.parse(compiled.value.planJson));
    return problems.length === 0 ? ok(undefined) : failed(problems);
  }

  async #part(files: PolicyFiles, prefix: string): Promise<Result<PolicyPart, BuildFault>> {
    const read = readPart(files, prefix);
    if (!read.ok) return failed(read.error);
    const { rego, data } = read.value;
    if (rego.size === 0) return ok({ rego, data, declares: { packages: [], rules: [] } });
    const declares = await this.#declared.get(digestOf(rego), () => this.#deps.inspect(rego));
    return declares.ok ? ok({ rego, data, declares: declares.value }) : declares;
  }

  #compile(rego: PolicyFiles, entrypoint: string): Promise<Result<CompiledRego, BuildFault>> {
    return this.#compiled.get(digestOf(rego, entrypoint), () => this.#deps.compile(rego, entrypoint));
  }
}

/** What the module answers besides, by annotation, is not the composed answer: nobody is told to ask it. */
function isServed(entrypoint: string): boolean {
  return entrypoint === COMPOSED_ENTRYPOINT || LOG_ENTRYPOINTS.includes(entrypoint);
}

function compiledBytes({ policyWasm, planJson }: CompiledRego): number {
  return policyWasm.length + planJson.length;
}

function declaredBytes({ packages, rules }: Declarations): number {
  return DECLARED_BYTES * (packages.length + rules.length + 1);
}

function failed(problems: readonly string[]): Result<never, BuildFault> {
  return err({ problems, again: false });
}
