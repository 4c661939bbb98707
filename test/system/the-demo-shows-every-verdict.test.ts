import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { rowsOf, startDemo } from '../support/demo-run.ts';

/** What the issue asks the table to show: who, agent, call, verdict and the status that the client saw. */
const EXPECTED: readonly string[] = [
  'reader mcp initialize allow 200',
  'reader mcp tools/call echo allow 200',
  'reader mcp tools/call get-sum deny 403',
  'reader http GET /reports/weekly allow 200',
  'reader http GET /reports/salaries deny 403',
  'reader grpc Now (unary) allow grpc 0',
  'reader grpc Watch (server streaming) allow grpc 0',
  'reader grpc Upload (client streaming) deny grpc 7',
  'reader grpc Converse (bidirectional) deny grpc 7',
  'reader planner GET /brief/weekly allow 200',
  'planner planner calls the researcher allow 200',
  'planner http GET /reports/weekly allow 200',
  'reader planner GET /brief/gossip allow 502',
  'planner planner calls a tabloid deny 403',
  'planner mcp initialize allow 200',
  'planner mcp tools/call get-sum allow 200',
  'planner mcp tools/call get-env deny 403',
  'planner http GET /reports/salaries allow 200',
  'planner http DELETE /reports/weekly allow 204',
  'planner grpc Now (unary) allow grpc 0',
  'planner grpc Watch (server streaming) allow grpc 0',
  'planner grpc Upload (client streaming) allow grpc 0',
  'planner grpc Converse (bidirectional) allow grpc 0',
  'stranger mcp initialize deny closed',
  'stranger http GET /reports/weekly deny closed',
  'stranger grpc Now (unary) deny grpc 14',
];

test('npm start -- --once: every verdict, from every agent, as expected; nothing is left behind', async (context) => {
  const demo = await startDemo(context, ['--once']);
  assert.equal(await demo.ended(), 0, demo.err);

  const rows = rowsOf(demo.out);
  assert.deepEqual(
    rows.map(({ who, agent, what, verdict, status }) => [who, agent, what, verdict, status].join(' ')),
    EXPECTED,
  );
  for (const { who, what, verdict, status, why, micros } of rows) {
    if (who === 'stranger') assert.deepEqual([why.split(':')[0], micros], ['peer_trust_domain_unknown', '-']);
    else if (status === '403' && what.startsWith('calls ')) assert.match(why, /^destination_unknown: /);
    else if (verdict === 'deny')
      assert.match(why, /^policy_denied: no rule allows this to (?:readers|operat(?:ors|or…|o…|…))$/);
    else assert.match(why, /^may /);
    if (who !== 'stranger' && !why.startsWith('destination_')) assert.match(micros, /^[1-9]\d*$/);
  }
  assert.match(demo.out, /\nAll 26 decisions as expected\.\n$/);
  // A pipe is no terminal; and what is not the answer goes elsewhere.
  assert.ok(!demo.out.includes('\u{1b}'));
  assert.match(demo.err, /^making identities/);
  assert.ok(demo.out.split('\n').every((line) => line.length <= 120));

  assert.deepEqual(await demo.remains(), []);
});

test('README: every row of its excerpt is one that the demo shows', async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, excerpt = ''] = /```\n(WHO .*?)```/s.exec(readme) ?? [];
  const rows = rowsOf(excerpt).map(({ who, agent, what, verdict, status }) =>
    [who, agent, what, verdict, status].join(' '),
  );
  assert.ok(rows.length > 5);
  for (const row of rows) assert.ok(EXPECTED.includes(row), row);
});
