import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { clusterData, type NamespaceFacts } from '../../../src/core/composition/cluster-data.ts';
import { joinFleet } from '../../../src/core/composition/join-fleet.ts';

const SEGMENT = 'sallyport.dev/segment';

function facts(namespaces: Readonly<Record<string, NamespaceFacts>>, accountSegments?: boolean) {
  return clusterData({
    trustDomain: 'example.org',
    namespaces: new Map(Object.entries(namespaces)),
    ...(accountSegments !== undefined && { accountSegments }),
  });
}

const AGENTS: NamespaceFacts = {
  labels: { team: 'a', [SEGMENT]: 'workers' },
  serviceAccounts: new Map([
    ['planner', { [SEGMENT]: 'planners' }],
    ['default', {}],
  ]),
};

test('segments: the label of the service account, else that of its namespace, by SPIFFE ID', () => {
  const { data, segments } = facts({ agents: AGENTS, idle: { labels: {}, serviceAccounts: new Map([['x', {}]]) } });
  assert.deepEqual(segments, {
    'spiffe://example.org/ns/agents/**': 'workers',
    'spiffe://example.org/ns/agents/sa/default': 'workers',
    'spiffe://example.org/ns/agents/sa/planner': 'planners',
  });
  assert.deepEqual(data, {
    trust_domain: 'example.org',
    namespaces: {
      agents: {
        labels: AGENTS.labels,
        service_accounts: { default: { labels: {} }, planner: { labels: { [SEGMENT]: 'planners' } } },
      },
      idle: { labels: {}, service_accounts: { x: { labels: {} } } },
    },
    segments,
  });
});

test('segments of service accounts count only where the platform lets them', () => {
  const { segments } = facts({ agents: AGENTS }, false);
  assert.equal(segments['spiffe://example.org/ns/agents/sa/planner'], 'workers');
});

test('an empty label is no segment, not even that of the namespace', () => {
  const accounts = new Map([['planner', { [SEGMENT]: '' }]]);
  const { segments } = facts({ agents: { labels: { [SEGMENT]: 'workers' }, serviceAccounts: accounts } });
  assert.deepEqual(Object.keys(segments), ['spiffe://example.org/ns/agents/**']);
});

test('the same facts in any order are the same text', () => {
  const labels = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.stringMatching(/^[a-z]{0,3}$/));
  const account = fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), labels);
  fc.assert(
    fc.property(fc.uniqueArray(account, { selector: ([name]) => name, maxLength: 5 }), (accounts) => {
      const text = (list: typeof accounts): string =>
        JSON.stringify(facts({ a: { labels: {}, serviceAccounts: new Map(list) } }).data);
      const reversed = accounts.toReversed().map(([name, own]) => {
        return [name, Object.fromEntries(Object.entries(own).toReversed())] as [string, Record<string, string>];
      });
      assert.equal(text(accounts), text(reversed));
    }),
  );
});

const SEGMENTS = { 'spiffe://example.org/ns/a/**': 'x', 'spiffe://example.org/ns/a/sa/b': 'y' };

test('data.fleet.agents gets what the namespace says nothing of', () => {
  assert.deepEqual(joinFleet({}, SEGMENTS), { fleet: { agents: SEGMENTS } });
  const own = { fleet: { agents: { 'spiffe://example.org/ns/a/sa/b': 'mine' }, segments: { s: 1 } }, other: 2 };
  assert.deepEqual(joinFleet(own, SEGMENTS), {
    fleet: {
      agents: { 'spiffe://example.org/ns/a/**': 'x', 'spiffe://example.org/ns/a/sa/b': 'mine' },
      segments: { s: 1 },
    },
    other: 2,
  });
});

test('a pattern of the namespace covers what is below it, in the words of policies/segments.rego', () => {
  for (const pattern of ['spiffe://example.org/**', 'spiffe://example.org/ns/**', 'spiffe://example.org/ns/a/**']) {
    const data = { fleet: { agents: { [pattern]: 'mine' } } };
    assert.deepEqual(joinFleet(data, { 'spiffe://example.org/ns/a/sa/b': 'y' }), data, pattern);
  }
  const other = { fleet: { agents: { 'spiffe://example.org/ns/ab/**': 'mine' } } };
  assert.notDeepEqual(joinFleet(other, { 'spiffe://example.org/ns/a/sa/b': 'y' }), other);
});

test('a fleet of another shape is left as it is', () => {
  for (const data of [{ fleet: 1 }, { fleet: [] }, { fleet: { agents: 'none' } }, { fleet: null }])
    assert.equal(joinFleet(data, SEGMENTS), data);
});
