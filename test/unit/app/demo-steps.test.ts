import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AGENTS, type AgentName } from '../../../src/app/demo-agents.ts';
import { hints } from '../../../src/app/demo-hints.ts';
import { locateClone } from '../../../src/app/demo-clone.ts';
import { STEPS, withClients, type Clients } from '../../../src/app/demo-steps.ts';
import { callerAndServer } from '../../support/demo-caller.ts';

const expected = (who: string, agent: string): readonly string[] =>
  STEPS.filter((step) => step.who === who && step.agent === agent).map((step) => step.expected.verdict);

const guarded = (name: AgentName, port: number) => ({ name, port, journal: `/demo/${name}.ndjson` });
const AGENTS_UP = {
  mcp: guarded('mcp', 1),
  http: guarded('http', 2),
  grpc: guarded('grpc', 3),
  planner: guarded('planner', 4),
};

test('every caller calls every agent; the stranger is to be refused by each', () => {
  for (const agent of AGENTS) {
    assert.ok(expected('reader', agent).includes('allow') && expected('reader', agent).includes('deny'), agent);
    assert.ok(expected('planner', agent).includes('allow'), agent);
    assert.deepEqual(expected('stranger', agent), ['deny']);
  }
});

test('all four kinds of gRPC call are made, and what one caller may not another may', () => {
  const grpc = STEPS.filter(({ agent, who }) => agent === 'grpc' && who !== 'stranger');
  assert.equal(new Set(grpc.map(({ what }) => what)).size, 4);
  const refused = grpc.filter((step) => step.expected.verdict === 'deny');
  assert.equal(refused.length, 2);
  for (const { what } of refused) {
    assert.ok(grpc.some((step) => step.what === what && step.expected.verdict === 'allow'));
  }
});

test('callers come one after the other, so that each has its clients once', () => {
  const calls = STEPS.filter(({ run }) => run !== undefined);
  const order = calls.map(({ who }) => who).filter((who, index, all) => who !== all[index - 1]);
  assert.deepEqual(order, ['reader', 'planner', 'stranger']);
});

test('one call leads through two sidecars, three decisions in one trace; another is refused on its way out', () => {
  const [brief, outbound, inbound, gossip, refused] = STEPS.slice(STEPS.findIndex(({ agent }) => agent === 'planner'));
  assert.deepEqual(
    [brief, outbound, inbound, gossip, refused].map((step) => [step?.agent, step?.direction, step?.expected.verdict]),
    [
      ['planner', undefined, 'allow'],
      ['planner', 'outbound', 'allow'],
      ['http', 'inbound', 'allow'],
      ['planner', undefined, 'allow'],
      ['planner', 'outbound', 'deny'],
    ],
  );
  assert.deepEqual([outbound?.run, inbound?.run, refused?.run], [undefined, undefined, undefined]);
});

test('the clients of a caller are closed also when a call throws', async () => {
  const clone = locateClone();
  assert.ok(clone.ok);
  let clients: Clients | undefined;
  const broken = withClients(callerAndServer().caller, AGENTS_UP, clone.value.proto, async (given) => {
    clients = given;
    throw new Error('a bug');
  });
  await assert.rejects(broken, /^Error: a bug$/);
  assert.match((await clients?.http.call('GET', '/'))?.status ?? '', /destroyed/);
});

test('what there is to try: one call allowed, one refused by policy, one by identity, all of the HTTP agent', () => {
  const text = hints('/demo', AGENTS_UP);
  const calls = text.split('\n').filter((line) => line.startsWith('  curl '));
  assert.deepEqual(
    calls.map((line) => /certs\/(\w+)\.key https:\/\/localhost:(\d+)(.*)$/.exec(line)?.slice(1)),
    [
      ['reader', '2', '/reports/weekly'],
      ['reader', '2', '/reports/salaries'],
      ['stranger', '2', '/reports/weekly'],
    ],
  );
  assert.match(text, /^ {2}cd \/demo$/m);
  assert.match(text, /npx sallyport log show \/demo\/http\.journal\.ndjson/);
});
