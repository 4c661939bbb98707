import { err, ok, type Result } from '../kernel/result.ts';
import { COMPOSED_ENTRYPOINT, composedModule } from './composed-module.ts';
import { dataInTheWay } from './data-in-the-way.ts';
import { joinFleet } from './join-fleet.ts';
import { CLUSTER_DATA, COMPOSED_PACKAGE, libraryBeside, namespaceProblems, platformProblems } from './ownership.ts';
import { overlap, isWithin, referencePath } from './reference.ts';

import type { ClusterData } from './cluster-data.ts';
import type { Declarations, JsonObject, PolicyPart } from './policy-part.ts';

/** Everybody's part of one namespace's policy. */
export type CompositionAsk = {
  /** Empty where the platform says nothing. */
  readonly platform: PolicyPart;
  /** The starter library; undefined where the platform does not bring it. */
  readonly library: PolicyPart | undefined;
  readonly namespace: {
    readonly name: string;
    /** Undefined where it has no policy: everything is denied, with a reason that says how to get one. */
    readonly part: PolicyPart | undefined;
    /** What its policy is asked, as `sallyport/authz/decision` or `envoy/authz/allow`. */
    readonly decision: string;
  };
  readonly cluster: ClusterData;
};

/** One policy, for the compiler; it is asked `entrypoint`. */
export type ComposedPolicy = {
  readonly rego: ReadonlyMap<string, string>;
  /** Takes part in no compilation: with other data the compiled Rego stays what it is. */
  readonly data: JsonObject;
  readonly entrypoint: typeof COMPOSED_ENTRYPOINT;
};

const COMPOSED_FILE = 'sallyport/composed.rego';
const NAMESPACE_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const DECISION = /^[^/\x00-\x1f\x7f]{1,256}(?:\/[^/\x00-\x1f\x7f]{1,256}){1,15}$/;

/**
 * Composes a namespace's policy: denied with the platform's reasons where the platform denies, else what the namespace answers. All problems are told, each with
 * its place; then there is no policy. Whether the Rego compiles is the compiler's to say; whether the platform's rules stand on themselves, `platformReads`.
 */
export function composePolicy(ask: CompositionAsk): Result<ComposedPolicy, readonly string[]> {
  const { platform, library, namespace } = ask;
  const { name, part, decision } = namespace;
  const beside = library === undefined ? new Map<string, string>() : libraryBeside(library, part ?? 'all');
  const rules = rulesOf([platform, part, library && among(library, beside)]);
  const data = dataOf(ask, rules);
  const inTheWay = dataInTheWay(rules, data);
  const problems = [
    ...platformProblems(platform),
    ...(part === undefined ? [] : namespaceProblems(part, { library })),
    ...(NAMESPACE_NAME.test(name) ? [] : [`${JSON.stringify(name)} is no name of a namespace`]),
    ...(part === undefined ? [] : decisionProblems(decision, rules)),
    ...(inTheWay === undefined ? [] : [inTheWay]),
  ];
  if (problems.length > 0) return err(problems);
  const module = composedModule({
    namespace: name,
    platform: platform.rego.size > 0,
    decision: part === undefined ? undefined : decision,
  });
  const rego = new Map([...platform.rego, ...beside, ...(part?.rego ?? []), [COMPOSED_FILE, module]]);
  return ok({ rego, data, entrypoint: COMPOSED_ENTRYPOINT });
}

/** Data of all owners; keys of one are no keys of another's, or there is a problem. */
function dataOf({ platform, library, namespace, cluster }: CompositionAsk, rules: readonly Path[]): JsonObject {
  const own = namespace.part?.data ?? {};
  const usesFleet = (library !== undefined || Object.hasOwn(own, 'fleet')) && !rules.some(([top]) => top === 'fleet');
  const joined = usesFleet ? joinFleet(own, cluster.segments) : own;
  return { ...joined, ...platform.data, [CLUSTER_DATA]: { namespace: namespace.name, ...cluster.data } };
}

type Path = readonly string[];

function decisionProblems(decision: string, rules: readonly Path[]): readonly string[] {
  const path = decision.split('/');
  if (!DECISION.test(decision))
    return [
      `the decision ${JSON.stringify(decision.slice(0, 200))} is no entrypoint, such as sallyport/authz/decision`,
    ];
  if (overlap(path, COMPOSED_PACKAGE) || isWithin(path, ['sallyport', 'platform']))
    return [`the decision ${decision} is the platform's; name a rule of your own`];
  if (rules.some((rule) => overlap(rule, path))) return [];
  return [
    `no rule is at the decision ${decision}: write one, or name another in the annotation sallyport.dev/decision`,
  ];
}

function rulesOf(parts: readonly (Pick<PolicyPart, 'declares'> | undefined)[]): readonly Path[] {
  const declared = parts.flatMap((part) => part?.declares.rules ?? []);
  return declared.flatMap(({ path }) => {
    const keys = referencePath(path);
    return keys === undefined ? [] : [keys];
  });
}

/** What of the library is left, as far as its rules go. */
function among({ declares }: PolicyPart, rego: ReadonlyMap<string, string>): { readonly declares: Declarations } {
  return { declares: { packages: [], rules: declares.rules.filter(({ file }) => rego.has(file)) } };
}
