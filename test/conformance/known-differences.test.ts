import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { HOST_BUILTINS } from '../../src/core/policy/builtins/table.ts';
import { parseTerm } from '../../src/core/policy/term-text.ts';
import { ourAnswer } from '../support/builtin-call.ts';
import { needsNativeOpa } from '../support/native-opa.ts';
import { opaAnswers } from '../support/opa-calls.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { KNOWN_DIFFERENCES, differencesText } from './known-differences.ts';
import { partOf } from './rego/report.ts';

const EXAMPLES = KNOWN_DIFFERENCES.flatMap(({ example }) => (example === undefined ? [] : [example]));

test('each is of a built-in that there is, with a reason', () => {
  for (const { names, what, why } of KNOWN_DIFFERENCES) {
    for (const name of names) assert.ok(HOST_BUILTINS.has(name), name);
    assert.ok(what.endsWith('.') && why.endsWith('.'), what);
  }
});

test('the documentation has all of them', async () => {
  const document = await readFile(new URL('../../policies/conformance.md', import.meta.url), 'utf8');
  assert.ok(partOf(document, 'differences').includes(differencesText()), 'npm run conformance:rego -- --write');
});

test('our answers to the examples are as described', () => {
  for (const { name, args, ours } of EXAMPLES) assert.equal(ourAnswer({ name, args: args.map(parseTerm) }), ours, name);
});

test('the answers of opa to the examples are as described', needsNativeOpa, async (context) => {
  const calls = EXAMPLES.map(({ name, args }) => ({ name, args: args.map(parseTerm) }));
  assert.deepEqual(
    await opaAnswers(await tempFolder(context), calls),
    EXAMPLES.map(({ opa }) => opa),
  );
});
