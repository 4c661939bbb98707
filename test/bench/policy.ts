/**
 * What one decision costs: `node test/bench/policy.ts`. Nanoseconds are CPU time of the process, the median of nine rounds; milliseconds are wall clock.
 * The policy is a role-based one of 20 agents and 30 grants; the input has 24 header fields, 2 KB as JSON.
 */
import { DEFAULT_BUDGET } from '../../src/core/policy/host.ts';
import type { LoadedPolicy, PolicyOptions } from '../../src/core/policy/host.ts';
import { toDecision } from '../../src/core/policy/decision.ts';
import { meterModule } from '../../src/core/policy/meter.ts';
import { compilePolicyModuleSync } from '../../src/core/policy/policy-module.ts';
import { PROBES } from '../../src/core/policy/probe-inputs.ts';
import { loadJudgedPolicy } from '../../src/core/policy/second-opinion.ts';
import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import { hostilePolicy } from '../support/hostile-policy.ts';
import { STILL_WORLD, load, sourceOf } from '../support/policy-host.ts';
import { compileRego } from '../support/rego.ts';
import { i32 } from '../support/wasm-assembler.ts';

const RBAC = `package sallyport.authz

default decision := false

decision if {
	some role in data.agents[input.source_principal]
	some grant in data.grants[role]
	grant.method == input.attributes.request.http.method
	grant.segment == input.parsed_path[0]
}
`;
const ENTRYPOINT = 'sallyport/authz/decision';
const PEER = 'spiffe://example.org/ns/agents/sa/agent-7';
const DATA = {
  agents: Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`spiffe://example.org/ns/agents/sa/agent-${i}`, [`role-${i % 5}`]]),
  ),
  grants: Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [
      `role-${i}`,
      Array.from({ length: 6 }, (_, j) => ({ method: j % 2 === 0 ? 'GET' : 'POST', segment: `service-${j}` })),
    ]),
  ),
};

function input(segment: string): PolicyInput {
  const probe = PROBES[0]?.input as PolicyInput;
  const headers = Object.fromEntries(
    Array.from({ length: 24 }, (_, i) => [`x-header-${i}`, `some value of ordinary length ${i}`]),
  );
  const request = probe.attributes.request as NonNullable<PolicyInput['attributes']['request']>;
  const http = { ...request.http, path: `/${segment}/items`, headers: { ...request.http.headers, ...headers } };
  return {
    ...probe,
    attributes: { ...probe.attributes, request: { ...request, http } },
    parsed_path: [segment, 'items'],
    source_principal: PEER,
  };
}

function nanoseconds(rounds: number, run: (i: number) => void): number {
  const times: number[] = [];
  for (let round = 0; round < 9; round += 1) {
    const start = process.cpuUsage();
    for (let i = 0; i < rounds; i += 1) run(i);
    const used = process.cpuUsage(start);
    times.push(((used.user + used.system) / rounds) * 1e3);
  }
  return Math.round(times.sort((a, b) => a - b)[4] ?? 0);
}

function report(what: string, value: string | number): void {
  console.log(`${what.padEnd(64)} ${value}`);
}

/** Milliseconds of one evaluation that ends at the budget, cold and warm. */
function runaway(what: string, policy: LoadedPolicy, ask: unknown, entrypoint: string): void {
  const times = Array.from({ length: 8 }, () => {
    const start = performance.now();
    policy.query(entrypoint, ask);
    return performance.now() - start;
  });
  const end = policy.query(entrypoint, ask);
  const code = end.kind === 'failed' ? end.fault.code : end.kind;
  const warm = times.slice(3).sort((a, b) => a - b)[2] ?? 0;
  report(`${what} (${code}), ms cold / warm`, `${times[0]?.toFixed(1)} / ${warm.toFixed(1)}`);
}

const compiled = await compileRego({ source: RBAC, entrypoints: [ENTRYPOINT] });
const source = { wasm: compiled.policyWasm, data: DATA, entrypoint: ENTRYPOINT, bundles: {} };
const inputs = Array.from({ length: 6 }, (_, i) => input(`service-${i}`));
const text = JSON.stringify(inputs[0]);

report('input, bytes of JSON', text.length);
report('module, bytes', compiled.policyWasm.length);
const variants: readonly (readonly [string, object, Partial<PolicyOptions>])[] = [
  ['whole input', {}, {}],
  ['what the plan says is read', { plan: compiled.plan }, { cacheEntries: 0 }],
  ['remembered', { plan: compiled.plan }, {}],
];
for (const [what, extra, options] of variants) {
  const policy = load({ ...source, ...extra }, options);
  const time = nanoseconds(20_000, (i) => policy.evaluate(inputs[i % inputs.length] as PolicyInput));
  const { steps } = policy.evaluate(inputs[0] as PolicyInput);
  report(`evaluate, ${what}, ns (${steps} steps)`, time);
}
const projected = load({ ...source, plan: compiled.plan });
report(
  'evaluate and toDecision, remembered, ns',
  nanoseconds(50_000, (i) => toDecision(projected.evaluate(inputs[i % 6] as PolicyInput))),
);
report(
  'JSON.stringify of the input alone, ns',
  nanoseconds(20_000, (i) => JSON.stringify(inputs[i % 6])),
);

report(
  'metering, ns',
  nanoseconds(20, () => meterModule(compiled.policyWasm)),
);
const module = compilePolicyModuleSync(compiled.policyWasm);
if (!module.ok) throw new Error(module.error.kind);
const ready = { ...source, wasm: module.value };
report(
  'instantiate and parse data, ns',
  nanoseconds(50, () => load(ready)),
);
const start = performance.now();
await loadJudgedPolicy(source, STILL_WORLD);
report('load with second opinion, ms, once', (performance.now() - start).toFixed(1));

report('budget, steps', DEFAULT_BUDGET);
const RUNAWAYS: Readonly<Record<string, readonly [string, unknown]>> = {
  'triple join': [
    'd := count([1 | some a in input.xs; some b in input.xs; some c in input.xs; a + b + c < 0])',
    { xs: Array.from({ length: 400 }, (_, i) => i) },
  ],
  'numbers.range': ['d := count(numbers.range(0, 100000000))', {}],
  'sprintf in a loop': ['d := [s | some i in numbers.range(0, 1000000); s := sprintf("%d", [i])]', {}],
  'concat in a loop': [
    'd := [s | some i in numbers.range(0, 1000000); s := concat("", [input.t, input.t])]',
    { t: 'x'.repeat(1000) },
  ],
  'array of 250,000 integers': ['d := count(input.xs)', { xs: Array.from({ length: 250_000 }, () => 1) }],
  'number with a nine-digit exponent': ['d := to_number(input.t) > 1', { t: '1e999999999' }],
};
for (const [what, [rule, ask]] of Object.entries(RUNAWAYS)) {
  const { policyWasm } = await compileRego({ source: `package t\n\n${rule}\n`, entrypoints: ['t/d'] });
  runaway(what, load(sourceOf(policyWasm)), ask, 't/d');
}
/** What no compiler makes: straight lines of additions, or loads far apart, each paid for one step. */
const ADDITIONS = Array.from({ length: 200 }, () => [0x20, 0, 0x20, 1, 0x6a, 0x21, 0]).flat();
const LOADS = Array.from({ length: 200 }, (_, i) => [
  0x20,
  0,
  ...i32(65_599 * (i + 1)),
  0x6a,
  ...i32(0xff_fffc),
  0x71,
  0x28,
  2,
  0,
  0x20,
  0,
  0x6a,
  0x21,
  0,
]).flat();
for (const [what, body] of [
  ['additions', ADDITIONS],
  ['scattered loads', LOADS],
] as const) {
  const wasm = hostilePolicy({ code: { opa_eval: [0x03, 0x40, ...body, 0x0c, 0, 0x0b, ...i32(0)] } });
  runaway(`hand-made loop of ${what}`, load(sourceOf(wasm)), {}, 't/d');
}
