import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createNetfilter } from '../../../src/io/programs/nft.ts';
import { writeProgram } from '../../support/own-program.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const TABLE = { family: 'inet', name: 'sallyport' } as const;
const RULES = 'table inet sallyport {\n}\n';

function listing(...rules: readonly object[]): string {
  return JSON.stringify({
    nftables: [{ table: { family: 'inet', name: 'sallyport' } }, ...rules.map((rule) => ({ rule }))],
  });
}

/** What `enforce` gives with an nft that prints this for the rules and that for the list; an object is what it says on stderr, with exit 1. */
async function enforced(context: TestContext, taken: string | { says: string }, listed: string | { says: string }) {
  const source = `
    const [taken, listed] = ${JSON.stringify([taken, listed])};
    const args = process.argv.slice(2);
    const isList = JSON.stringify(args) === JSON.stringify(['-j', 'list', 'table', 'inet', 'sallyport']);
    const isLoad = JSON.stringify(args) === JSON.stringify(['-j', '-e', '--', ${JSON.stringify(RULES)}]);
    const answer = isList ? listed : isLoad ? taken : { says: 'unexpected arguments ' + args };
    if (typeof answer === 'string') process.stdout.write(answer);
    else process.stderr.write(answer.says, () => process.exit(1));`;
  const program = await writeProgram(await tempFolder(context), 'nft', source);
  const result = await createNetfilter({ program }).enforce(RULES, TABLE);
  return result.ok ? result.value : { kind: result.error.kind, detail: result.error.detail };
}

test('rules that stand as they were taken: how many', async (context) => {
  assert.equal(await enforced(context, listing({ a: 1 }, { b: 2 }), listing({ a: 1 }, { b: 2 })), 2);
});

test('other rules than were taken are a fault that names the first difference', async (context) => {
  for (const rules of [[{ a: 1 }], [{ a: 1 }, { b: 3 }], [{ a: 1 }, { b: 2 }, { c: 3 }]]) {
    const fault = await enforced(context, listing({ a: 1 }, { b: 2 }), listing(...rules));
    assert.ok(typeof fault === 'object');
    assert.equal(fault.kind, 'not_standing');
    assert.match(fault.detail, /^asked for /);
  }
});

test('a table that is gone by the time it is listed does not stand', async (context) => {
  const fault = await enforced(context, listing({ a: 1 }), { says: 'Error: No such file or directory' });
  assert.deepEqual(typeof fault === 'object' && fault.kind, 'not_taken');
  const nothing = await enforced(context, listing({ a: 1 }), 'words');
  assert.deepEqual(typeof nothing === 'object' && nothing.kind, 'not_standing');
});

test('what nft says is told apart: no right, no kernel support, anything else', async (context) => {
  const cases = [
    [
      'Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted',
      'not_permitted',
    ],
    ['Error: Could not process rule: Operation not supported', 'kernel_lacks'],
    ['Error: Could not process rule: No such file or directory', 'kernel_lacks'],
    ['netlink: Error: cache initialization failed: Protocol not supported', 'kernel_lacks'],
    ['Error: syntax error, unexpected newline', 'not_taken'],
  ] as const;
  for (const [says, kind] of cases) {
    const fault = await enforced(context, { says }, '');
    assert.ok(typeof fault === 'object');
    assert.equal(fault.kind, kind, says);
    assert.ok(fault.detail.includes(says.split('\n')[0] ?? ''));
  }
});

test('no nft is told as such', async (context) => {
  const program = `${await tempFolder(context)}/nft`;
  const result = await createNetfilter({ program }).enforce(RULES, TABLE);
  assert.ok(!result.ok);
  assert.equal(result.error.kind, 'no_nft');
});
