import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import type { Evaluation } from '../../../src/core/model/policy.ts';
import { functionNames } from '../../../src/core/policy/function-names.ts';
import { MAX_MODULE_BYTES } from '../../../src/core/policy/meter.ts';
import { openProfile } from '../../../src/core/policy/policy-profile.ts';
import { indexModule } from '../../../src/core/policy/rule-index.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import { loadJudgedPolicy } from '../../../src/core/policy/second-opinion.ts';
import { withAndWithoutIndex } from '../../support/plain-module.ts';
import { ENTRYPOINT, STILL_WORLD, compileRules, load } from '../../support/policy-host.ts';

/** Rules `d`, one for each number below `count`, that hold where `body` does. */
function many(count: number, body: (i: number) => string, head: (i: number) => string = () => 'd'): string {
  return Array.from({ length: count }, (_, i) => `${head(i)} if { ${body(i)} }`).join('\n\n');
}

async function wasmOf(rules: string): Promise<Uint8Array> {
  return (await compileRules(rules)).wasm as Uint8Array;
}

/** How many tests the index of these rules makes beforehand. */
async function testsOf(rules: string): Promise<number> {
  return indexModule(await wasmOf(rules))?.tests.length ?? 0;
}

type Both = (input: object) => { readonly indexed: Evaluation; readonly plain: Evaluation };

async function both(rules: string, data: unknown = {}): Promise<Both> {
  const { indexed, plain } = withAndWithoutIndex(await wasmOf(rules));
  const shared = { data, entrypoint: ENTRYPOINT, bundles: {} };
  const [fast, slow] = [load({ ...shared, wasm: indexed }), load({ ...shared, wasm: plain })];
  return (input) => ({ indexed: fast.query(ENTRYPOINT, input), plain: slow.query(ENTRYPOINT, input) });
}

function value(evaluation: Evaluation): unknown {
  if (evaluation.kind === 'failed') return evaluation.fault.code;
  return evaluation.kind === 'defined' ? evaluation.value : undefined;
}

/** Asks both, which must agree, and gives the answer. */
function agreed(ask: Both, input: object): unknown {
  const { indexed, plain } = ask(input);
  assert.deepEqual(value(indexed), value(plain), JSON.stringify(input));
  return value(indexed);
}

const LAST = 'input.user == data.owner';

function chain(i: number): string {
  return `d contains x if { x := r${i} }\n\nr${i} := "a" if input.a == "${i}" else := "b" if input.b == "${i}" else := "c"`;
}

describe('what is indexed', () => {
  const cases: readonly (readonly [string, number, (i: number) => string])[] = [
    ['a place compared with a constant', 20, (i) => `input.path == "/${i}"`],
    ['the constant on the left', 20, (i) => `"/${i}" == input.path`],
    ['a place in a variable', 20, (i) => `p := input.path; p == "/${i}"`],
    ['a deep place, behind another test', 20, (i) => `input.flag; input.a.b.c.d == "${i}"; ${LAST}`],
    ['an index of an array', 20, (i) => `input.p[0] == "${i}"`],
    ['two indexes of the same array', 20, (i) => `input.p[0] == "x"; input.p[12] == "${i}"`],
    ['an index that is no whole number, as it is written', 20, (i) => `input.p[1.0] == "${i}"`],
    ['inside of a negation', 20, (i) => `not input.path == "${i}"`],
    ['fewer than eight rules: nothing', 0, (i) => (i < 7 ? `input.path == "${i}"` : `input.n == ${i}`)],
    ['numbers: nothing', 0, (i) => `input.n == ${i}`],
    ['a built-in first: nothing', 0, (i) => `count(input.path) > 1; input.path == "${i}"`],
    ['data first: nothing', 0, (i) => `${LAST}; input.path == "${i}"`],
    ['a search first: nothing', 0, (i) => `some x in input.list; x == "${i}"; input.path == "${i}"`],
    ['a number too long to be an index: nothing', 0, (i) => `input.p[12345] == "${i}"`],
  ];
  for (const [what, tests, body] of cases) {
    test(what, async () => assert.equal(await testsOf(many(20, body)), tests));
  }

  test('the test that fewest rules share decides', async () => {
    const found = indexModule(await wasmOf(many(20, (i) => `input.method == "GET"; input.path == "/${i}"`)))?.tests;
    assert.equal(new Set(found?.map(({ place }) => place.name)).size, 1);
    assert.equal(new Set(found?.map(({ constant }) => constant)).size, 20);
  });

  test('a test behind an index of what may be no array does not decide: a number as a key may end the evaluation', async () => {
    const found = indexModule(await wasmOf(many(20, (i) => `input.q[0] == "x"; input.path == "/${i}"`)))?.tests;
    assert.equal(new Set(found?.map(({ constant }) => constant)).size, 1);
  });

  test('arguments of functions, as many as there are', async () => {
    const rules = many(
      20,
      () => 'true',
      (i) => `f("${i}", "x")`,
    );
    assert.equal(await testsOf(`d if f(input.a, input.b)\n\n${rules}`), 20);
  });

  test('a function that replaces its input, in any rule: nothing', async () => {
    const rules = many(20, (i) => `input.path == "/${i}"`);
    assert.equal(await testsOf(`${rules}\n\nd if { e with input.a as 1 }\n\ne if input.a`), 0);
    assert.equal(
      await testsOf(`${rules}\n\ne if { d with input.a as 1 }`),
      20,
      'the function that is asked is indexed',
    );
  });

  test('a small policy keeps its code byte for byte', async () => {
    const wasm = await wasmOf('d if input.path == "/a"');
    const { indexed } = withAndWithoutIndex(wasm);
    assert.equal(indexModule(wasm), undefined);
    assert.deepEqual(indexed.index, []);
  });
});

describe('the answer with an index', () => {
  test('every rule, the first and the last, and none', async () => {
    const ask = await both(
      many(300, (i) => `input.method == "GET"; input.path == "/${i}"; ${LAST}`),
      { owner: 'ann' },
    );
    for (let i = 0; i < 300; i += 1) assert.equal(agreed(ask, { method: 'GET', path: `/${i}`, user: 'ann' }), true);
    for (const path of ['/300', '', '/', '/0\u0000', '/00', undefined, null, 0, true, [], ['/0'], {}, { '/0': 1 }])
      assert.equal(agreed(ask, { method: 'GET', path, user: 'ann' }), undefined);
    assert.equal(agreed(ask, { method: 'GET', path: '/7', user: 'bob' }), undefined);
    assert.equal(agreed(ask, {}), undefined);
  });

  test('strings that are longer than a word, not ASCII, or hold NUL', async () => {
    const texts = [
      'é',
      '\u{1d11e}',
      'a\u0000b',
      'a\u0000c',
      'a',
      '',
      'x'.repeat(5000),
      `${'x'.repeat(4999)}y`,
      '"',
      '\\',
    ];
    const ask = await both(
      many(
        texts.length,
        (i) => `input.a == ${JSON.stringify(texts[i])}`,
        (i) => `d contains ${i}`,
      ),
    );
    texts.forEach((a, i) => assert.deepEqual(agreed(ask, { a }), [i]));
  });

  test('true and false as constants', async () => {
    const ask = await both(
      many(
        12,
        (i) => `input.a == ${i % 2 === 0}; input.n == ${i}`,
        (i) => `d contains ${i}`,
      ),
    );
    assert.deepEqual(agreed(ask, { a: true, n: 4 }), [4]);
    assert.deepEqual(agreed(ask, { a: false, n: 5 }), [5]);
    for (const a of ['true', 1, 0, null, [], undefined]) assert.deepEqual(agreed(ask, { a, n: 4 }), []);
  });

  test('constants of both types at one place', async () => {
    const ask = await both(
      many(
        16,
        (i) => `input.a == ${['"x"', 'true', '"y"', 'false'][i % 4]}; input.n == ${i}`,
        (i) => `d contains ${i}`,
      ),
    );
    const values: readonly unknown[] = ['x', true, 'y', false];
    values.forEach((a, i) => assert.deepEqual(agreed(ask, { a, n: i + 8 }), [i + 8]));
  });

  test('indexes of what is an array, an object with such keys, a text, or not there', async () => {
    const ask = await both(
      many(
        12,
        (i) => `input.p[1] == "${i}"`,
        (i) => `d contains ${i}`,
      ),
    );
    assert.deepEqual(agreed(ask, { p: ['0', '7'] }), [7]);
    for (const p of [['7'], [], { 1: '7' }, { '1': '7' }, '77', 7, null, undefined, [['7'], { 1: '7' }]])
      assert.deepEqual(agreed(ask, { p }), []);
  });

  test('an index of what is no array decides nothing: the rules run', async () => {
    const ask = await both(
      many(
        12,
        (i) => `input.p[1] == "${i}"`,
        (i) => `d contains ${i}`,
      ),
    );
    const [object, array] = [ask({ p: { a: 'b' } }), ask({ p: ['a', 'b'] })];
    assert.ok(object.indexed.steps > object.plain.steps);
    assert.ok(array.indexed.steps < array.plain.steps);
  });

  test('an index that is no whole number as it is written, on which the module and the interpreter of OPA differ', async () => {
    const ask = await both(
      many(
        12,
        (i) => `input.p[1.0] == "${i}"`,
        (i) => `d contains ${i}`,
      ),
    );
    for (const p of [['0', '7'], { 1: '7' }, { '1.0': '7' }, '77', undefined]) agreed(ask, { p });
  });

  test('arguments that are not JSON: sets and objects with keys of other kinds', async () => {
    const rules = many(
      12,
      () => 'true',
      (i) => `f(x) := ${i}`,
    ).replaceAll('true', 'x.k == "0"; x[1] == "y"');
    const ask = await both(
      `d := [v | some x in [{"k": "0", 1: "y"}, {"k"}, {1}, "k"]; v := f(x)]\n\n${rules.replaceAll(/:= \d+/g, ':= 1')}`,
    );
    assert.deepEqual(agreed(ask, {}), [1]);
  });

  test('a conflict of two rules that hold is a conflict, and one that cannot come up is none', async () => {
    const ask = await both(
      many(
        20,
        (i) => `input.path == "/${i % 10}"; input.n == ${i}`,
        (i) => `d := ${i}`,
      ).replaceAll(/; input.n == 1\d/g, ''),
    );
    assert.equal(agreed(ask, { path: '/3', n: 3 }), 'policy_conflict');
    assert.equal(agreed(ask, { path: '/3', n: 4 }), 13);
  });

  test('else-chains: a rule that is left does not hide what follows it, nor keep the result of another', async () => {
    const one = many(
      20,
      (i) => `input.a == "${i}"`,
      (i) => `q := ${i}`,
    ).replaceAll('}', '} else := 99 if { input.b == "z" }');
    const ask = await both(`${[0, 1].map(chain).join('\n\n')}\n\nd contains q\n\n${one}`);
    assert.deepEqual(agreed(ask, { a: '0' }), [0, 'a', 'c']);
    assert.deepEqual(agreed(ask, { a: '5', b: '1' }), [5, 'b', 'c']);
    assert.equal(agreed(ask, { a: '5', b: 'z' }), 'policy_conflict');
    assert.deepEqual(agreed(ask, { a: 'x', b: 'z' }), [99, 'c']);
  });

  test('defaults, sets and objects', async () => {
    const rules = many(
      20,
      (i) => `input.path == "/${i}"`,
      (i) => `s contains ${i}`,
    );
    const objects = many(
      20,
      (i) => `input.path == "/${i}"`,
      (i) => `o.k[${i}] := "${i}"`,
    );
    const ask = await both(
      `d := [s, o, e]\n\ndefault e := "none"\n\n${rules}\n\n${objects}\n\n${many(
        9,
        (i) => `input.path == "/${i}"`,
        () => 'e := "some"',
      )}`,
    );
    assert.deepEqual(agreed(ask, { path: '/4' }), [[4], { k: { 4: '4' } }, 'some']);
    assert.deepEqual(agreed(ask, { path: '/19' }), [[19], { k: { 19: '19' } }, 'none']);
    assert.deepEqual(agreed(ask, {}), [[], { k: {} }, 'none']);
  });

  test('asked again under `with`, the input is the replaced one', async () => {
    const rules = many(
      20,
      (i) => `input.path == "/${i}"`,
      (i) => `e := ${i}`,
    );
    const ask = await both(
      `d := [e, x, y] if { x := e with input.path as "/1"; y := e with input as {"path": "/2"} }\n\n${rules}`,
    );
    assert.deepEqual(agreed(ask, { path: '/7' }), [7, 1, 2]);
  });
});

describe('steps with an index', () => {
  let ask: Both;
  before(async () => {
    ask = await both(
      many(1000, (i) => `input.method == "GET"; input.path == "/${i}"; ${LAST}`),
      { owner: 'ann' },
    );
  });

  test('a thousand rules cost a tenth', () => {
    for (const path of ['/0', '/999', '/none']) {
      const { indexed, plain } = ask({ method: 'GET', path, user: 'ann' });
      assert.ok(indexed.steps * 10 < plain.steps, `${indexed.steps} and ${plain.steps}`);
    }
  });

  test('are the same every time', () => {
    const input = { method: 'GET', path: '/7', user: 'ann' };
    const first = ask(input).indexed;
    for (const path of ['/8', 7, undefined, '/none']) ask({ method: 'GET', path, user: 'ann' });
    assert.deepEqual(ask(input).indexed, first);
  });

  test('a profile adds up to the steps that a decision takes', async () => {
    const rules = many(50, (i) => `input.path == "/${i}"`);
    const wasm = await wasmOf(rules);
    const profile = openProfile({ wasm, data: {} }, STILL_WORLD);
    assert.ok(profile.ok);
    const seen = profile.value.profile(ENTRYPOINT, { path: '/7' });
    const decided = load({ ...(await compileRules(rules)), wasm }).query(ENTRYPOINT, { path: '/7' });
    assert.equal(seen.evaluation.steps, decided.steps);
    assert.deepEqual(
      seen.rules.map(({ rule }) => rule),
      ['data.t.d'],
    );
  });
});

describe('modules that are not as expected are left alone', () => {
  let wasm: Uint8Array;
  before(async () => {
    wasm = await wasmOf(many(20, (i) => `input.path == "/${i}"`));
  });

  /** The module with a name of its name section replaced by another of the same length. */
  function renamed(from: string, to: string): Uint8Array {
    const at = Buffer.from(wasm).lastIndexOf(from);
    assert.ok(at > 0);
    const copy = Uint8Array.from(wasm);
    copy.set(new TextEncoder().encode(to), at);
    return copy;
  }

  test('without the names of the runtime, or with a name given twice', () => {
    assert.equal(indexModule(wasm)?.tests.length, 20);
    for (const name of ['opa_value_get', 'opa_value_compare', 'opa_value_hash', 'opa_value_type']) {
      const copy = renamed(
        `${String.fromCharCode(name.length)}${name}`,
        `${String.fromCharCode(name.length)}${name.replace('value', 'walue')}`,
      );
      assert.equal(indexModule(copy), undefined, name);
    }
    assert.equal(indexModule(renamed('opa_value_type', 'opa_value_hash')), undefined);
  });

  test('a name that lies about its parameters gives no valid module, and the policy is loaded without an index', () => {
    const swapped = renamed('opa_value_hash', 'opa_value_xxxx');
    swapped.set(new TextEncoder().encode('opa_value_hash'), Buffer.from(swapped).lastIndexOf('opa_memoize_ge'));
    const { indexed } = withAndWithoutIndex(swapped);
    assert.deepEqual(indexed.index, []);
    assert.equal(
      value(load({ wasm: indexed, data: {}, entrypoint: ENTRYPOINT, bundles: {} }).query(ENTRYPOINT, { path: '/3' })),
      true,
    );
  });

  test('cut off or altered anywhere: never an exception', () => {
    for (let length = 0; length < wasm.length; length += 997) indexModule(wasm.subarray(0, length));
    for (let at = 8; at < wasm.length; at += 499) {
      const copy = Uint8Array.from(wasm);
      copy[at] = (copy[at] ?? 0) ^ 0x55;
      indexModule(copy);
    }
    assert.equal(indexModule(new Uint8Array(MAX_MODULE_BYTES)), undefined);
  });

  test('an indexed module is one like any other: the same names, and nothing more to gain', () => {
    const indexed = indexModule(wasm);
    assert.ok(indexed !== undefined && WebAssembly.validate(indexed.wasm));
    assert.deepEqual(functionNames(indexed.wasm), functionNames(wasm));
  });
});

describe('the second opinion judges the index', () => {
  test('it agrees on the probes made of it', async () => {
    const rules = many(40, (i) => `input.attributes.request.http.method == "M${i}"; input.parsed_path[0] == "items"`);
    const loaded = await loadJudgedPolicy(await compileRules(rules), STILL_WORLD);
    assert.ok(loaded.ok);
  });

  test('an index that leaves out a rule keeps the revision from going live', async () => {
    const source = await compileRules(many(40, (i) => `input.attributes.request.http.method == "M${i}"`));
    const { indexed } = withAndWithoutIndex(source.wasm as Uint8Array);
    const other = withAndWithoutIndex(await wasmOf(many(39, (i) => `input.attributes.request.http.method == "M${i}"`)));
    const wrong = { ...indexed, module: other.indexed.module };
    const loaded = await loadJudgedPolicy({ ...source, wasm: wrong }, STILL_WORLD);
    assert.ok(!loaded.ok);
    assert.match(
      describeLoadProblem(loaded.error),
      /disagrees on the probe input "rule index \d+": the answers differ/,
    );
  });
});
