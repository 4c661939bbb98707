import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { requestOf } from '../../support/policy-input.ts';
import { POLICIES, agentId } from '../../support/policy-library.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

const inputSchema: unknown = JSON.parse(readFileSync(join(POLICIES, 'schemas', 'input.json'), 'utf8'));

/** Rego and data of the folder, tests included. */
function regoIn(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.rego') || name === 'data.json');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const library = regoIn(POLICIES);
const starter = regoIn(join(POLICIES, 'starter'));
const below = Object.fromEntries(Object.entries(starter).map(([name, text]) => [`starter/${name}`, text]));

const FOLDERS = {
  'policies/ as it is': { ...library, ...below },
  'a folder made of the library and the starter': { ...library, ...starter },
};

for (const [what, files] of Object.entries(FOLDERS)) {
  describe(what, () => {
    test('it is sound in strict mode, against the schema of our input', async () => {
      assert.deepEqual(await compiler.check({ files, inputSchema }), []);
    });

    test('its tests pass and evaluate every line', async () => {
      const run = await compiler.test({ files, coverage: true });
      assert.ok(run.ok, JSON.stringify(run));
      const failed = run.value.results.filter(({ outcome }) => outcome !== 'passed');
      assert.deepEqual(failed, []);
      assert.ok(run.value.results.length > 70);
      assert.equal(run.value.coverage?.percent, 100);
    });
  });
}

test('every module is formatted as opa fmt formats, and every package says what it is', async () => {
  const files = { ...library, ...below };
  const formatted = await compiler.format({ files });
  assert.ok(formatted.ok);
  for (const [name, text] of Object.entries(formatted.value)) {
    assert.equal(files[name], text, name);
    if (!name.endsWith('_test.rego')) assert.match(text, /^# METADATA\n# title: .+\n# description: /, name);
  }
});

test('the decisions are the annotated entrypoints, and everything that has a name has a description of it', async () => {
  const inspected = await compiler.inspect({ files: library });
  assert.ok(inspected.ok);
  assert.deepEqual(inspected.value.entrypoints, ['sallyport/authz/decision', 'sallyport/mcp/decision']);
  for (const { path, annotation } of inspected.value.annotations) {
    const { title, description } = annotation as { readonly title?: string; readonly description?: string };
    assert.ok(title !== undefined || description !== undefined, path);
  }
});

test('a misspelt path of the input is found in a policy that stands on the library', async () => {
  const mine = 'package mine\n\nimport data.sallyport.authz\n\ndecision := authz.decision if input.atributes\n';
  const [found] = await compiler.check({ files: { ...library, 'mine.rego': mine }, inputSchema });
  assert.equal(found?.file, 'mine.rego');
  assert.equal(found.row, 5);
});

/** The block of a language in a document. */
function block(text: string, language: string): string {
  return text.split(`\`\`\`${language}\n`)[1]?.split('```')[0] ?? '';
}

test('policies/README.md: the data and the rules that it shows are a policy', async () => {
  const readme = readFileSync(join(POLICIES, 'README.md'), 'utf8');
  const files = { ...library, 'data.yaml': block(readme, 'yaml'), 'mine/mine.rego': block(readme, 'rego') };
  assert.deepEqual(await compiler.check({ files, inputSchema }), []);
  const agent = agentId('agents', 'researcher');
  for (const [caller, path, reason] of [
    [agentId('agents', 'planner'), ['reports', 'x'], 'reports are closed'],
    [
      agentId('operations', 'console'),
      ['reports', 'x'],
      'segment operators may ask segment researchers for read-reports',
    ],
    [agentId('agents', 'planner'), ['v1', 'tasks', '7'], 'segment planners may ask segment researchers for read-task'],
  ] as const) {
    const inputJson = JSON.stringify(requestOf({ caller, agent, path }));
    const answer = await compiler.evaluate({ files, entrypoint: 'mine/decision', inputJson });
    assert.ok(answer.ok);
    assert.deepEqual((JSON.parse(String(answer.value.resultJson)) as { reasons: unknown }).reasons, [reason]);
  }
});
