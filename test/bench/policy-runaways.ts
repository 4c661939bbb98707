import type { LoadedPolicy } from '../../src/core/policy/host.ts';
import { hostilePolicy } from '../support/hostile-policy.ts';
import { load, sourceOf } from '../support/policy-host.ts';
import { compileRego } from '../support/rego.ts';
import { i32 } from '../support/wasm-assembler.ts';
import { table } from './policy-clock.ts';
import { median } from './process-cost.ts';

type Row = readonly [what: string, code: string, cold: string, warm: string];

/** Milliseconds of one evaluation that ends at the budget, cold and warm. */
function runaway(what: string, policy: LoadedPolicy, ask: unknown): Row {
  const times = Array.from({ length: 8 }, () => {
    const start = performance.now();
    policy.query('t/d', ask);
    return performance.now() - start;
  });
  const end = policy.query('t/d', ask);
  const code = end.kind === 'failed' ? end.fault.code : end.kind;
  return [what, code, (times[0] ?? 0).toFixed(1), median(times.slice(3)).toFixed(1)];
}

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
/** What a budget of 200 million steps is in milliseconds, for policies that run into it. */
export async function runaways(): Promise<void> {
  const rows: Row[] = [];
  for (const [what, [rule, ask]] of Object.entries(RUNAWAYS)) {
    const { policyWasm } = await compileRego({ source: `package t\n\n${rule}\n`, entrypoints: ['t/d'] });
    rows.push(runaway(what, load(sourceOf(policyWasm)), ask));
  }
  for (const [what, body] of Object.entries({ additions: ADDITIONS, 'scattered loads': LOADS })) {
    const wasm = hostilePolicy({ code: { opa_eval: [0x03, 0x40, ...body, 0x0c, 0, 0x0b, ...i32(0)] } });
    rows.push(runaway(`hand-made loop of ${what}`, load(sourceOf(wasm)), {}));
  }
  console.log('\n## Running into the budget of 200 million steps');
  table(['policy', 'ends as', 'ms cold', 'ms warm'], rows);
}
