import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const POLICY = `package sallyport.authz

default decision := {"allowed": false}

decision := {"allowed": true, "reasons": ["known"]} if {
	known
	print("it is", input.user)
}

known if input.user in data.users

hour := time.clock(time.now_ns())[0]

exact := input.number
`;

const FILES = {
  'p/authz.rego': POLICY,
  'p/data.json': '{"users":["ann"]}',
  'ann.json': '{"user":"ann","unread":{"secret":1}}',
  'bob.json': '{"user":"bob"}',
};

type Told = {
  readonly result: unknown;
  readonly steps: number;
  readonly read: Readonly<Record<string, unknown>>;
  readonly rules: readonly { readonly path: string; readonly row: number; readonly succeeded: number }[];
  readonly costs: readonly { readonly rule: string; readonly steps: number }[];
  readonly agrees?: boolean;
};

test('policy eval: the answer, its cost, what was read and which rules fired', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const { code, out } = await sallyport(['policy', 'eval', join(folder, 'p'), '-i', join(folder, 'ann.json')]);
  assert.equal(code, 0, out.join('\n'));
  assert.equal(out[0], 'decision  sallyport/authz/decision = {"reasons":["known"],"allowed":true}');
  assert.match(out[1] ?? '', /^cost {6}[\d,]+ steps, [\d.]+ us uncached$/);
  assert.equal(out[2], 'read      input/user = "ann"');
  assert.ok(
    out.some((line) => /fired +data\.sallyport\.authz\.known {2}\(.*authz\.rego:10\) {2}[\d,]+ steps$/.test(line)),
  );
  assert.equal(out.at(-1), 'print     it is ann');
});

test('policy eval --json: a denial is exit 1; the costs of the rules are those of the evaluation', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const run = await sallyport(['policy', 'eval', join(folder, 'p'), '-i', join(folder, 'bob.json'), '--json']);
  const told = JSON.parse(run.out.join('')) as Told;
  assert.deepEqual([run.code, told.result, told.read, told.agrees], [1, { allowed: false }, { '/user': 'bob' }, true]);
  assert.equal(
    told.costs.reduce((sum, { steps }) => sum + steps, 0),
    told.steps,
  );
  const known = told.rules.find(({ path }) => path === 'data.sallyport.authz.known');
  assert.deepEqual([known?.row, known?.succeeded], [10, 0]);
});

test('policy eval: another rule, without an input, and numbers with all their digits', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { ...FILES, 'n.json': '{"number":12345678901234567890}' });
  const ask = (...args: string[]) => sallyport(['policy', 'eval', join(folder, 'p'), '-d', ...args]);
  assert.deepEqual((await ask('sallyport/authz/known')).out[0], 'decision  sallyport/authz/known = undefined');
  const missing = await ask('sallyport/authz/none');
  assert.equal(missing.code, 2);
  assert.match(missing.err.join('\n'), /rego_unknown_entrypoint/);
  const told = await ask('sallyport/authz/exact', '-i', join(folder, 'n.json'));
  assert.match(told.out.join('\n'), /input\/number = 12345678901234567000|12345678901234567890/);
});

test('policy eval: an input that is none is told', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { ...FILES, 'list.json': '[]', 'bad.json': '{"a":' });
  for (const [file, why] of [
    ['list.json', /an input is a JSON object/],
    ['bad.json', /is no JSON/],
    ['none.json', /there is no such file/],
  ] as const) {
    const { code, err } = await sallyport(['policy', 'eval', join(folder, 'p'), '-i', join(folder, file)]);
    assert.equal(code, 2);
    assert.match(err.join('\n'), why);
  }
  const two = await sallyport(['policy', 'eval', join(folder, 'p'), '-i', 'x', '-r', 'y']);
  assert.deepEqual([two.code, two.err.length], [2, 1]);
});

function record(id: string, user: string, result: unknown, more: object = {}): string {
  const sallyport = { verdict: 'allow' };
  return JSON.stringify({
    decision_id: id,
    path: 'sallyport/authz/decision',
    input: { user },
    result,
    sallyport,
    ...more,
  });
}

test('policy eval --record: decisions are made again, and those that would be others now are told, exit 1', async (context) => {
  const folder = await tempFolder(context);
  const allowed = { allowed: true, reasons: ['known'] };
  const lines = [
    record('1', 'ann', allowed),
    record('2', 'bob', allowed, { masked: ['/input/user'] }),
    '{"sallyport_notice":1}',
    JSON.stringify({ decision_id: '3', path: '', sallyport: { verdict: 'deny' } }),
  ];
  await writeFiles(folder, { ...FILES, 'log.jsonl': `${lines.join('\n')}\n` });
  const { code, out } = await sallyport(['policy', 'eval', join(folder, 'p'), '-r', join(folder, 'log.jsonl')]);
  assert.deepEqual(
    [code, out],
    [
      1,
      [
        '2  was {"allowed":true,"reasons":["known"]}, now {"allowed":false}',
        '  the record hides /input/user: the answer may differ for that reason alone',
        '2 decisions made again: 1 the same, 1 changed; 1 refused before a policy was asked',
      ],
    ],
  );
  await writeFiles(folder, { 'same.jsonl': `${record('1', 'ann', allowed)}\n`, 'empty.jsonl': '\n' });
  assert.equal((await sallyport(['policy', 'eval', join(folder, 'p'), '-r', join(folder, 'same.jsonl')])).code, 0);
  assert.equal((await sallyport(['policy', 'eval', join(folder, 'p'), '-r', join(folder, 'empty.jsonl')])).code, 2);
});

test('policy eval --record: what a nondeterministic built-in answered then, it answers again', async (context) => {
  const folder = await tempFolder(context);
  const at = '1700000000000000000';
  const cache = { nd_builtin_cache: { 'time.now_ns': { '[]': 1_700_000_000_000_000_000 } } };
  const line = record('1', 'ann', 22, { path: 'sallyport/authz/hour', ...cache }).replace('1700000000000000000', at);
  await writeFiles(folder, { ...FILES, 'log.jsonl': `${line}\n` });
  const { code, out } = await sallyport([
    'policy',
    'eval',
    join(folder, 'p'),
    '-r',
    join(folder, 'log.jsonl'),
    '--json',
  ]);
  assert.equal(code, 0, out.join('\n'));
  assert.equal((JSON.parse(out[0] ?? '') as { now: unknown }).now, 22);
});

test('policy eval: exit 0 is what a sidecar lets pass; an answer that it cannot use is refused, and why is said', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'p.rego': 'package sallyport.authz\n\ndecision := input.answer\n',
    'text.json': '{"answer":"no"}',
    'shape.json': '{"answer":{"allowed":true,"headers":7}}',
    'yes.json': '{"answer":{"allowed":true}}',
  });
  const ask = (name: string) => sallyport(['policy', 'eval', join(folder, 'p.rego'), '-i', join(folder, name)]);
  const word = await ask('text.json');
  assert.equal(word.code, 1);
  assert.match(word.out.join('\n'), /note +as a decision, a sidecar refuses this: .*neither a boolean nor an object/);
  const shape = await ask('shape.json');
  assert.equal(shape.code, 1);
  assert.match(shape.out.join('\n'), /a sidecar refuses this: .*headers/);
  const yes = await ask('yes.json');
  assert.equal(yes.code, 0);
  assert.doesNotMatch(yes.out.join('\n'), /refuses/);
});

test('policy eval --record: a log that cannot be read is bad input, told before anything is compiled', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'p.rego': 'package p\n\nbroken if {\n' });
  const policy = join(folder, 'p.rego');
  const none = await sallyport(['policy', 'eval', policy, '-r', join(folder, 'none.ndjson')]);
  assert.deepEqual([none.code, none.err], [2, [`${join(folder, 'none.ndjson')}: there is no such file`]]);
  const dir = await sallyport(['policy', 'eval', policy, '-r', folder, '--json']);
  assert.deepEqual(
    [dir.code, dir.out],
    [2, [`{"ok":false,"errors":[{"message":${JSON.stringify(`${folder}: is a folder`)}}]}`]],
  );
});
