import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { loadPolicy } from '@open-policy-agent/opa-wasm';
import fc from 'fast-check';

import { policyReads } from '../../../src/core/policy/policy-reads.ts';
import { compileRego } from '../../support/rego.ts';

const ENTRYPOINT = 'p/decision';

async function readsOf(source: string): Promise<readonly string[]> {
  const { plan } = await compileRego({ source: `package p\n\nimport rego.v1\n\n${source}`, entrypoints: [ENTRYPOINT] });
  return policyReads(plan, ENTRYPOINT).description;
}

describe('what a policy reads of input, by its plan', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['a constant comparison reads the scalar', 'decision if input.a.b == "x"', ['input.a ?', 'input.a.b =']],
    ['definedness alone reads presence', 'decision if { _ := input.a.b }', ['input.a ?', 'input.a.b ?']],
    ['a constant index is a place of its own', 'decision if input.a[1] == "x"', ['input.a ?', 'input.a.1 =']],
    [
      'a number written in another way is no constant index',
      'decision if input.a[1.0] == "x"',
      ['input.a #', 'input.a[*] ='],
    ],
    ['an unknown key reads the keys and every child', 'decision if input.a[_] == "x"', ['input.a #=', 'input.a[*] =']],
    ['a key from input is read whole', 'decision if data.roles[input.a]', ['input.a !']],
    ['count reads the length', 'decision if count(input.a) > 2', ['input.a #=']],
    ['the type alone', 'decision if is_string(input.a)', ['input.a =']],
    ['a built-in reads all of its arguments', 'decision if startswith(input.a, "x")', ['input.a !']],
    ['two places compared are read whole', 'decision if input.a == input.b', ['input.a !', 'input.b !']],
    ['a result that holds a part of input', 'decision := {"v": input.a.b}', ['input.a ?', 'input.a.b !']],
    ['a function passes its argument on', 'decision if f(input.a)\n\nf(x) if x.b == "y"', ['input.a ?', 'input.a.b =']],
    ['a negation', 'decision if not input.a.b', ['input.a ?', 'input.a.b =']],
    [
      'two rules that may conflict are compared',
      'decision := input.a\n\ndecision := input.b',
      ['input.a !', 'input.b !'],
    ],
    [
      'every in a comprehension',
      'decision := [x | x := input.a[_].b]',
      ['input.a #=', 'input.a[*] ?', 'input.a[*].b !'],
    ],
    ['with a part of input replaced, all of it', 'decision if q with input.a as 1\n\nq if input.b == 2', ['input !']],
    [
      'with all of input replaced, what the value reads',
      'decision if q with input as input.z\n\nq if input.b == "x"',
      ['input.z ?', 'input.z.b ='],
    ],
    ['nothing', 'decision := true', []],
    ['input itself', 'decision := input', ['input !']],
    ['all keys of input', 'decision if count(input) > 1', ['input #=']],
  ];
  for (const [title, source, expected] of cases) {
    test(title, async () => assert.deepEqual([...(await readsOf(source))].sort(), [...expected].sort()));
  }

  test('a plan that is not understood: everything is read and nothing remembered', () => {
    for (const raw of [
      undefined,
      null,
      1,
      {},
      { plans: {} },
      { static: {}, plans: { plans: [{ name: ENTRYPOINT, blocks: [{ stmts: [{ type: 'NewStmt', stmt: {} }] }] }] } },
    ]) {
      const reads = policyReads(raw, ENTRYPOINT);
      assert.deepEqual(reads.needs, { parsedBody: true, rawBody: true, parsedQuery: true, peerCertificate: true });
      assert.equal(reads.repeatable, false);
      assert.equal(reads.encode({ a: [1] }), '{"a":[1]}');
    }
  });

  test('a recursive plan is not one we know', () => {
    const call = { type: 'CallStmt', stmt: { func: 'f', args: [{ type: 'local', value: 0 }], result: 2 } };
    const raw = {
      static: {},
      plans: { plans: [{ name: ENTRYPOINT, blocks: [{ stmts: [call] }] }] },
      funcs: { funcs: [{ name: 'f', params: [0], return: 1, blocks: [{ stmts: [call] }] }] },
    };
    assert.equal(policyReads(raw, ENTRYPOINT).needs.rawBody, true);
  });

  test('input that takes the place of input again and again, in a loop, is followed to an end', async () => {
    const loop =
      'decision if { some k, _ in input.keys; x := input.a with input as input.next; x[k]; y := input with input as x; y == 1 }';
    assert.deepEqual(await readsOf(loop), ['input.keys #=', 'input.keys[*] ?', 'input.next ?', 'input.next.a !#']);
  });

  test('time and randomness: nothing is remembered', async () => {
    for (const source of [
      'decision if time.now_ns() > input.a',
      'decision := rand.intn("a", 2)',
      'decision := uuid.rfc4122(input.a)',
    ]) {
      const { plan } = await compileRego({
        source: `package p\n\nimport rego.v1\n\n${source}`,
        entrypoints: [ENTRYPOINT],
      });
      assert.equal(policyReads(plan, ENTRYPOINT).repeatable, false, source);
    }
  });
});

/** Names of the needs that a policy has. */
async function needs(source: string): Promise<readonly string[]> {
  const text = `package p\n\nimport rego.v1\n\n${source}`;
  const { plan } = await compileRego({ source: text, entrypoints: [ENTRYPOINT] });
  const found = Object.entries(policyReads(plan, ENTRYPOINT).needs);
  return found.filter(([, needed]) => needed).map(([name]) => name);
}

describe('needs follow from the reads', () => {
  test('parsed_body', async () =>
    assert.deepEqual(await needs('decision if input.parsed_body.a == 1'), ['parsedBody']));
  test('truncated_body', async () => assert.deepEqual(await needs('decision if input.truncated_body'), ['parsedBody']));
  test('the raw body', async () =>
    assert.deepEqual(await needs('decision if input.attributes.request.http.body == ""'), ['rawBody']));
  test('the certificate', async () =>
    assert.deepEqual(await needs('decision if input.attributes.source.certificate == ""'), ['peerCertificate']));
  test('all keys of input: every key must be as it would be', async () =>
    assert.deepEqual(await needs('decision if count(input) > 1'), [
      'parsedBody',
      'rawBody',
      'parsedQuery',
      'peerCertificate',
    ]));
  test('none of them', async () =>
    assert.deepEqual(await needs('decision if input.attributes.request.http.method == "GET"'), []));
});

/** Policies that try to read in ways an analysis could miss. */
const ADVERSARIAL: readonly string[] = [
  'decision := [k | some k; input.a[k]]',
  'decision := {k: v | some k, v in input.a}',
  'decision := x if { x := input.a } else := y if { y := input.b } else := "none"',
  'decision := count(input.a) if { not input.b.c }',
  'decision if { some x in input.a; x.b == input.b }',
  'decision := object.get(input.a, "b", "none")',
  'decision := [f(x) | some x in input.a]\n\nf(x) := x.b if x.b\n\nf(x) := "scalar" if not x.b',
  'decision := {"all": all, "n": n}\n\nall if { every x in input.a { x == "x" } }\n\ndefault all := false\n\nn := count([1 | input.a[_] == input.b])',
  'decision := walked\n\nwalked := [p | walk(input.a, [p, "x"])]',
  'decision contains x if { some x in ["a", "b"]; input[x].b }',
  'decision := [a, b] if { [a, b] := input.a }',
  'decision := v if { {"b": v} = input.a }',
  'decision := is_array(input.a)',
  'decision := [type_name(input.a), type_name(input.b)]',
  'decision := g(input)\n\ng(i) := i.a.b if i.b\n\ng(i) := "no b" if not i.b',
  'decision := union({{input.a.b}, {x | some x in input.b}})',
  'decision := {"x": r.x}\n\nr[k] := v if { some k in ["x", "y"]; v := input.a[k] }',
  'decision := data.p.rules[input.a]\n\nrules.x := input.b.c\n\nrules.y := 2',
  'decision := input.a.b.c == null',
  'decision := input.a == [] ',
  'decision := input.a[1.0]',
  'decision := input.a[1e0].b',
  'decision := input.a[-1]',
];

const leaf = fc.constantFrom<unknown>('x', 'y', '', 0, 1, 2, true, false, null);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'x'), tie('value'), { maxKeys: 3 }),
  ),
})).value;
const document = fc.record({ a: json, b: json, c: json, x: json }, { requiredKeys: [] });

describe('promise 2: what is left out cannot change the decision', () => {
  for (const source of ADVERSARIAL) {
    test(source.replaceAll('\n', ' '), async () => {
      const { plan, policyWasm } = await compileRego({
        source: `package p\n\nimport rego.v1\n\n${source}`,
        entrypoints: [ENTRYPOINT],
      });
      const { encode } = policyReads(plan, ENTRYPOINT);
      const policy = await loadPolicy(Uint8Array.from(policyWasm).buffer);
      policy.setData({});
      const answer = (input: unknown): unknown => {
        try {
          return (policy.evaluate(input, ENTRYPOINT) as [{ result: unknown }?])[0]?.result ?? 'undefined';
        } catch (error) {
          return `conflict ${String(error)}`;
        }
      };
      fc.assert(
        fc.property(document, (input) => {
          assert.deepEqual(answer(JSON.parse(encode(input))), answer(input));
        }),
        { numRuns: 60 },
      );
    });
  }
});
