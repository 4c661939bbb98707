import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { PLATFORM_ENTRYPOINT, platformReads } from '../../../src/core/composition/platform-reads.ts';
import { libraryBeside } from '../../../src/core/composition/ownership.ts';
import { libraryPart } from '../../support/policy-parts.ts';
import { compileRego } from '../../support/rego.ts';

const HELPERS = {
  'helpers.rego': `package sallyport.platform.helpers

fixed := 1

asks if input.x

named(x) := data.platform.names[x]
`,
  'own.rego': 'package sallyport.own\n\nagents := data.fleet.agents\n\nof(x) := data.fleet.agents[x]\n',
};

async function readsOf(deny: string, others: Readonly<Record<string, string>> = HELPERS): Promise<readonly string[]> {
  const files = { ...others, 'p.rego': `package sallyport.platform\n\n${deny}\n` };
  const { plan } = await compileRego({ files, entrypoints: [PLATFORM_ENTRYPOINT] });
  return platformReads(plan);
}

describe("rules that stand on the platform's own", () => {
  for (const rule of [
    'deny contains "x" if input.y',
    'deny contains "x" if data.platform.closed[input.path]',
    'deny contains "x" if data.kubernetes.segments[input.id] == "strangers"',
    'deny contains "x" if data.platform[_] == input.x',
    'deny contains "x" if data.sallyport.platform.helpers.named(input.x)',
    'deny contains "x" if data.platform.x with input.z as 1',
    'deny contains "x" if { some x in ["fleet"]; input[x] }',
  ])
    test(rule, async () => assert.deepEqual(await readsOf(rule), []));
});

describe('rules whose answer a namespace could write', () => {
  const CASES: readonly (readonly [rule: string, said: RegExp])[] = [
    ['deny contains "x" if data.fleet.closed[input.path]', /data\.fleet/],
    ['deny contains "x" if not data.fleet.open[input.path]', /data\.fleet/],
    ['deny contains "x" if { x := {k | some k in data["fleet"]}; count(x) > 0 }', /data\.fleet/],
    ['deny contains "x" if data.sallyport.own.of(input.x)', /data\.fleet/],
    ['deny contains "x" if data.sallyport.own.agents[input.x]', /data\.fleet/],
    ['deny contains "x" if data.sallyport.authz.decision', /below data\.sallyport/],
    ['deny contains "x" if data.sallyport[input.z].fixed', /below data\.sallyport/],
    ['deny contains "x" if data[input.z].a', /all of data/],
    ['deny contains "x" if data[input.z].platform.helpers.asks', /all of data/],
    ['deny contains "x" if data.envoy.authz.allow', /data\.envoy/],
    ['deny contains "x" if { data.platform.x with data.platform as data.fleet }', /data/],
  ];
  for (const [rule, said] of CASES) test(rule, async () => assert.match((await readsOf(rule)).join('\n'), said));
});

test("what the starter library answers is a namespace's to replace, so the platform cannot stand on it", async () => {
  const rest = Object.fromEntries(libraryBeside(await libraryPart(), 'all'));
  assert.deepEqual(
    Object.keys(rest).filter((path) => /authz|mcp/.test(path)),
    [],
  );
  const problems = await readsOf('deny contains "x" if not data.sallyport.authz.decision.allowed', rest);
  assert.match(problems.join('\n'), /below data\.sallyport/);
  assert.deepEqual(await readsOf('deny contains "x" if data.sallyport.spiffe.namespace(input.id) == "a"', rest), []);
});

test('a plan of another form is no good', () => {
  for (const plan of [undefined, null, {}, [], 'x', { static: {} }, { static: { strings: 1 } }])
    assert.equal(platformReads(plan).length, 1);
});

const DATA = { type: 'local', value: 1 };
/** A string of the plan below, by its number. */
const word = (value: number): unknown => ({ type: 'string_index', value });
/** A plan of one statement. */
const planOf = (type: string, stmt: Readonly<Record<string, unknown>>): unknown => ({
  static: { strings: [{ value: 'sallyport' }, { value: 'platform' }, { value: 'g0' }, { value: 'fleet' }] },
  funcs: { funcs: [{ name: 'g0.data.sallyport.platform.deny', blocks: [{ stmts: [{ type, stmt }] }] }] },
});

describe('statements that OPA may come to write, one by one', () => {
  const taken: readonly (readonly [type: string, stmt: Readonly<Record<string, unknown>>])[] = [
    ['AssignVarStmt', { source: DATA, target: 5 }],
    ['EqualStmt', { a: DATA, b: { type: 'local', value: 4 } }],
    ['ObjectInsertStmt', { key: word(0), value: DATA, object: 4 }],
    ['ScanStmt', { source: 1, key: 4, value: 5, block: { stmts: [] } }],
    ['WithStmt', { local: 1, path: [3], value: { type: 'bool', value: true }, block: { stmts: [] } }],
    ['DotStmt', { source: DATA, key: { type: 'local', value: 4 }, target: 5 }],
    ['CallStmt', { func: 'walk', args: [DATA], result: 4 }],
    ['CallStmt', { func: 'g0.data.sallyport.platform.f', args: [{ type: 'local', value: 0 }, DATA, DATA], result: 4 }],
    ['CallDynamicStmt', { args: [0, 1], result: 4, path: [word(2), { type: 'local', value: 5 }, word(1)] }],
    ['CallDynamicStmt', { args: [0, 1], result: 4, path: [word(2), word(0), { type: 'local', value: 5 }] }],
    ['CallDynamicStmt', { args: [0, 1], result: 4, path: [word(2), word(3), word(1)] }],
    ['CallDynamicStmt', { args: [0, 1], result: 4 }],
  ];
  for (const [type, stmt] of taken)
    test(`${type} ${JSON.stringify(stmt)} takes all of data`, () => {
      assert.match(platformReads(planOf(type, stmt)).join('\n'), /all of data/);
    });

  test('what hands data on to a rule of known name, or has nothing to do with it, is fine', () => {
    const own = { func: 'g0.data.sallyport.platform.f', args: [{ type: 'local', value: 0 }, DATA], result: 4 };
    assert.deepEqual(platformReads(planOf('CallStmt', own)), []);
    const named = { args: [0, 1], result: 4, path: [word(2), word(0), word(1), { type: 'local', value: 5 }] };
    assert.deepEqual(platformReads(planOf('CallDynamicStmt', named)), []);
    assert.deepEqual(platformReads(planOf('AssignVarStmt', { source: { type: 'local', value: 0 }, target: 5 })), []);
  });
});
