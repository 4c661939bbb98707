import type { PolicyName } from './target.ts';

// Who may do what, as data, and what is made of it for each way of judging. What is not granted is denied.

const RESOURCES = ['orders', 'invoices', 'users', 'catalog', 'search', 'reports', 'jobs', 'events', 'files', 'tickets'];
const AGENT = 'spiffe://example.org/agents';
const CLIENT = `${AGENT}/client`;

/** Methods allowed at a path and all below it; a path is its segments. */
export type Grant = { readonly methods: readonly string[]; readonly path: readonly string[] };

/** Agents by SPIFFE ID with their roles, and what each role is granted. */
export type Access = {
  readonly agents: Readonly<Record<string, readonly string[]>>;
  readonly grants: Readonly<Record<string, readonly Grant[]>>;
};

/** The rule that OPA and Sallyport are asked for, as OPA names entrypoints. */
export const DECISION = 'envoy/authz/allow';

const READS = ['GET', 'HEAD'];

/**
 * 20 agents, 10 roles, 30 grants: each role has a resource, the public part of the next, and one more thing. What a load asks for as `client` is of the role
 * `catalog`: the catalogue, and the calls of `bench.Echo`.
 */
export const ACCESS: Access = {
  agents: {
    ...Object.fromEntries(Array.from({ length: 19 }, (_, index) => agent(index))),
    [CLIENT]: ['catalog', 'search'],
  },
  grants: Object.fromEntries(RESOURCES.map((resource, index) => [resource, grantsOf(resource, index)])),
};

function agent(index: number): [string, readonly string[]] {
  const second = index % 3 === 0 ? [resourceAt(index + 1)] : [];
  return [`${AGENT}/agent-${String(index).padStart(2, '0')}`, [resourceAt(index), ...second]];
}

function grantsOf(resource: string, index: number): readonly Grant[] {
  return [
    { methods: READS, path: ['api', 'v1', resourceAt(index + 1), 'public'] },
    resource === 'catalog'
      ? { methods: ['POST'], path: ['bench.Echo'] }
      : { methods: ['POST'], path: ['api', 'v1', resourceAt(index + 5), 'query'] },
    { methods: [...READS, 'POST'], path: ['api', 'v1', resource] },
  ];
}

function resourceAt(index: number): string {
  return RESOURCES[index % RESOURCES.length] ?? '';
}

/** One of the N rules of `rules-N`. */
export type RuleFact = { readonly agent: string; readonly grant: Grant };

/** The N agents of `rules-N`, each with one grant of its own; the last is `client`, with the catalogue. */
export function ruleFacts(count: number): readonly RuleFact[] {
  return Array.from({ length: count }, (_, index) => {
    const isLast = index === count - 1;
    const path = ['api', 'v1', isLast ? 'catalog' : `resource-${padded(index)}`];
    return { agent: isLast ? CLIENT : `${AGENT}/agent-${padded(index)}`, grant: { methods: [...READS, 'POST'], path } };
  });
}

/** So that names stand in the order of their numbers. */
function padded(index: number): string {
  return String(index).padStart(4, '0');
}

/** N of `rules-N`. */
export function ruleCount(policy: Exclude<PolicyName, 'rbac' | 'json-body'>): number {
  return Number(policy.slice('rules-'.length));
}

/** Files of a policy folder, by their path in it; OPA and Sallyport load the same. */
export function regoFiles(policy: PolicyName): { readonly 'policy.rego': string; readonly 'data.json': string } {
  if (policy === 'rbac') return { 'policy.rego': `${HEAD}${GRANTED}\nallow if granted\n`, 'data.json': json(ACCESS) };
  if (policy === 'json-body') return { 'policy.rego': `${HEAD}${GRANTED}${BY_BODY}`, 'data.json': json(ACCESS) };
  const rules = ruleFacts(ruleCount(policy)).map(rule);
  return { 'policy.rego': `${HEAD}${rules.join('')}`, 'data.json': json({}) };
}

const HEAD = `package envoy.authz

default allow := false
`;

const GRANTED = `
# A role of the caller grants this method at this path or above it.
granted if {
	some role in data.agents[input.attributes.source.principal]
	some grant in data.grants[role]
	input.attributes.request.http.method in grant.methods
	array.slice(input.parsed_path, 0, count(grant.path)) == grant.path
}
`;

const BY_BODY = `
allow if {
	granted
	input.attributes.request.http.method != "POST"
}

allow if {
	granted
	input.parsed_body.action == "query"
}
`;

/** Comparisons with texts first: what the rule index of either engine can use. */
function rule({ agent, grant }: RuleFact): string {
  return `
allow if {
	input.attributes.source.principal == "${agent}"
	input.attributes.request.http.method in ${JSON.stringify(grant.methods)}
	array.slice(input.parsed_path, 0, ${grant.path.length}) == ${JSON.stringify(grant.path)}
}
`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 1)}\n`;
}

/** One of Envoy's RBAC policies: any of these principals may do any of these things (`envoy.config.rbac.v3.Policy`). */
export type RbacPolicy = { readonly principals: readonly object[]; readonly permissions: readonly object[] };

/** Why native RBAC cannot enforce a policy; undefined where it can. */
export function rbacCannot(policy: PolicyName): string | undefined {
  return policy === 'json-body' ? 'native RBAC reads no bodies' : undefined;
}

/**
 * The same facts for Envoy's native RBAC (`envoy.config.rbac.v3.RBAC.policies`): a policy a role, or one a rule. Envoy goes through them in the order of
 * their names, so that the last rule is the last it looks at. Throws for a policy that it cannot enforce.
 */
export function rbacPolicies(policy: PolicyName): Readonly<Record<string, RbacPolicy>> {
  if (policy === 'json-body') throw new Error(rbacCannot(policy));
  const policies =
    policy === 'rbac' ? Object.entries(ACCESS.grants).map(rolePolicy) : ruleFacts(ruleCount(policy)).map(rulePolicy);
  return Object.fromEntries(policies);
}

function rolePolicy([role, grants]: [string, readonly Grant[]]): [string, RbacPolicy] {
  return [role, rbacPolicy(agentsIn(role), grants)];
}

function rulePolicy({ agent, grant }: RuleFact, index: number): [string, RbacPolicy] {
  return [`rule-${padded(index)}`, rbacPolicy([agent], [grant])];
}

function agentsIn(role: string): readonly string[] {
  return Object.entries(ACCESS.agents).flatMap(([agent, roles]) => (roles.includes(role) ? [agent] : []));
}

function rbacPolicy(agents: readonly string[], grants: readonly Grant[]): RbacPolicy {
  return {
    principals: agents.map((agent) => ({ authenticated: { principal_name: { exact: agent } } })),
    permissions: grants.map(({ methods, path }) => {
      const at = `/${path.join('/')}`;
      return {
        and_rules: {
          rules: [anyOf(methods.map(isMethod)), anyOf([isPath({ exact: at }), isPath({ prefix: `${at}/` })])],
        },
      };
    }),
  };
}

function anyOf(rules: readonly object[]): object {
  return { or_rules: { rules } };
}

function isMethod(method: string): object {
  return { header: { name: ':method', string_match: { exact: method } } };
}

function isPath(match: object): object {
  return { url_path: { path: match } };
}
