import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import fc from 'fast-check';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { bagLine, evaluationLine, isBounded, valueLine } from './answers.ts';
import { CALLS } from './calls.ts';
import { Choices, tapes } from './choices.ts';
import { compileSound } from './compile.ts';
import { compare } from './differences.ts';
import { KNOWN, isKnown } from './known-differences.ts';
import { readOptions } from './options.ts';
import { generatePolicy } from './policy.ts';
import type { Generated } from './policy.ts';
import { usableCalls } from './usable-calls.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

function oneRule(text: string): Generated {
  return {
    files: { 'r0.rego': `package p\n\n${text}\n` },
    rules: ['r0'],
    dataJson: '{"d":{}}',
    inputsJson: ['{"a":1}'],
  };
}

test("generated policies are answered alike by OPA's interpreter, by our host in its three ways and by OPA's SDK", async () => {
  const property = fc.asyncProperty(tapes, async (tape) => {
    const { differences } = await compare(generatePolicy(tape, CALLS), compiler);
    assert.deepEqual(differences, []);
  });
  await fc.assert(property, { numRuns: 100, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: false });
});

test('the module and this host have every built-in that generated policies call', async () => {
  assert.deepEqual(await usableCalls(compiler), CALLS);
});

test('the generator writes mostly what compiles, with rules of every form', async () => {
  const forms = [
    / contains /,
    /\] := /,
    /^default /m,
    / else := /,
    /\.x\[/,
    / := \[.* \|/,
    /^f\d+\(/m,
    / with /,
    /every /,
    /not /,
    /walk\(/,
  ];
  const samples = fc.sample(tapes, { seed: 1, numRuns: 60 }).map((tape) => generatePolicy(tape, CALLS));
  const text = samples.flatMap(({ files }) => Object.values(files)).join('\n');
  for (const form of forms) assert.match(text, form);
  let [made, kept] = [0, 0];
  for (const sample of samples.slice(0, 20)) {
    made += sample.rules.length;
    kept += (await compileSound(sample, compiler))?.policy.rules.length ?? 0;
  }
  assert.ok(kept > made / 2, `${kept} of ${made}`);
});

test('the end of a tape is the simplest policy, so that shrinking ends', () => {
  const { files, inputsJson } = generatePolicy([], CALLS);
  assert.deepEqual(Object.keys(files), ['r0.rego']);
  assert.deepEqual(inputsJson, ['{"a":"a","b":"a","c":"a"}']);
  const empty = new Choices([]);
  assert.deepEqual(
    [empty.upTo(9), empty.of('x', 'y'), empty.once(3), empty.some(1, 4, (i) => i)],
    [0, 'x', false, [0]],
  );
});

for (const known of KNOWN) {
  test(`known difference: ${known.what}`, async () => {
    const { rule, interpreter, whole } = known.example;
    const { differences } = await compare(oneRule(rule), compiler, []);
    const answers = differences.map((one) => [
      one.answers['interpreter'],
      one.answers['whole'],
      one.answers['projected'],
    ]);
    assert.deepEqual(answers, [[interpreter, whole, whole]], 'it is gone: take it off the list and the documentation');
    assert.ok(!known.matches(interpreter, rule));
    if (isKnown(whole, rule)) assert.equal((await compare(oneRule(rule), compiler)).known, 1);
  });
}

test('a difference is found where there is one: in the value, in being defined, and in the order of an array', () => {
  assert.notEqual(valueLine([1, 2]), valueLine([2, 1]));
  assert.equal(bagLine(valueLine({ a: [1, [2, 3]] })), bagLine(valueLine({ a: [[3, 2], 1] })));
  assert.notEqual(bagLine(valueLine([1])), bagLine(valueLine([1, 1])));
  assert.equal(valueLine({ b: 1, a: -0 }), valueLine({ a: 0, b: 1 }));
  assert.notEqual(valueLine({ a: undefined }), valueLine({ a: null }));
  assert.equal(evaluationLine({ kind: 'undefined', steps: 0, cached: false }), 'undefined');
  assert.ok(isBounded('!policy_budget_exceeded: x') && !isBounded('!policy_failed: x'));
});

test('files that do not compile are left out with those that need them, and the others are compared', async () => {
  const files = {
    'r0.rego': 'package p\n\nr0 := 1\n',
    'r1.rego': 'package p\n\nr1 := count(1)\n',
    'r2.rego': 'package p\n\nr2 := f3(1)\n',
    'f3.rego': 'package p\n\nf3(x) := y\n',
  };
  const policy = { files, rules: ['r0', 'r1', 'r2'], dataJson: '{}', inputsJson: ['{}', '{"a":1}'] };
  assert.deepEqual((await compileSound(policy, compiler))?.policy.rules, ['r0']);
  assert.deepEqual(await compare(policy, compiler), { compared: 2, bounded: 0, known: 0, differences: [] });
  assert.equal(await compileSound(oneRule('r0 := x'), compiler), undefined);
});

test('arguments: minutes may be a fraction, the seed is random unless said', () => {
  assert.deepEqual(
    readOptions([], () => 5),
    { minutes: 1, seed: 5, shrink: true },
  );
  assert.deepEqual(
    readOptions(['--minutes', '0.5', '--seed', '7', '--no-shrink'], () => 5),
    { minutes: 0.5, seed: 7, shrink: false },
  );
  for (const wrong of [['--minutes', '0'], ['--minutes', 'x'], ['--seed', '1.5'], ['--other']]) {
    assert.equal(
      readOptions(wrong, () => 5),
      undefined,
    );
  }
});
