import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { clusterData } from '../../../src/core/composition/cluster-data.ts';
import { composePolicy } from '../../../src/core/composition/compose-policy.ts';
import { DECISION } from '../../support/policy-library.ts';
import {
  answerOf,
  compose,
  EMPTY_PART,
  libraryPart,
  loadComposed,
  NO_CLUSTER,
  policyPart,
} from '../../support/policy-parts.ts';

const PLATFORM = {
  'platform/p.rego': `package sallyport.platform

deny contains "no admin" if input.path == data.platform.closed

deny contains {"rule": "odd"} if input.path == "odd"
`,
};
const PLATFORM_DATA = { platform: { closed: 'admin' } };
const OWN = { 'namespace/authz.rego': 'package sallyport.authz\n\ndecision := input.answer\n' };

async function world(own: Readonly<Record<string, string>> = OWN, decision = DECISION) {
  const platform = await policyPart(PLATFORM, PLATFORM_DATA);
  return loadComposed(compose({ platform, own: await policyPart(own), decision }));
}

test("the platform denies with its reasons; else the answer is the namespace's as it stands", async () => {
  const policy = await world();
  const denied = { allowed: false, reasons: ['no admin'] };
  assert.deepEqual(answerOf(policy, { path: 'admin', answer: true }), denied);
  assert.deepEqual(answerOf(policy, { path: 'odd', answer: true }), { allowed: false, reasons: ['{"rule":"odd"}'] });
  for (const answer of [true, false, { allowed: true, headers: { x: 'y' } }, 'nonsense', null])
    assert.deepEqual(answerOf(policy, { path: 'open', answer }), answer);
  assert.equal(answerOf(policy, { path: 'open' }), 'undefined');
});

test("an OPA-Envoy policy runs unchanged under the platform's rules", async () => {
  const rego = 'package envoy.authz\n\ndefault allow := false\n\nallow if input.path == "open"\n';
  const policy = await world({ 'namespace/policy.rego': rego }, 'envoy/authz/allow');
  assert.deepEqual([answerOf(policy, { path: 'open' }), answerOf(policy, { path: 'other' })], [true, false]);
  assert.deepEqual(answerOf(policy, { path: 'admin' }), { allowed: false, reasons: ['no admin'] });
});

test('a deny that is undefined, or no set, denies everything', async () => {
  const rego = 'package sallyport.platform\n\ndeny := input.deny if input.deny != "gone"\n';
  const platform = await policyPart({ 'platform/p.rego': rego });
  const policy = await loadComposed(compose({ platform, own: await policyPart(OWN) }));
  for (const deny of ['gone', [], ['x'], {}, 'x', '', 0, false, true, null]) {
    const answer = answerOf(policy, { deny, answer: true }) as { readonly allowed: boolean };
    assert.equal(answer.allowed, false, JSON.stringify(deny));
  }
});

test("whatever both say: denied where the platform denies, else the namespace's answer", async () => {
  const rego = 'package sallyport.platform\n\ndeny contains reason if some reason in input.deny\n';
  const platform = await policyPart({ 'platform/p.rego': rego });
  const policy = await loadComposed(compose({ platform, own: await policyPart(OWN) }));
  const answer = fc.oneof(fc.boolean(), fc.jsonValue({ maxDepth: 2, noUnicodeString: false }));
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 3 }), fc.option(answer, { nil: undefined }), (deny, own) => {
      const given = answerOf(policy, { deny, ...(own !== undefined && { answer: own }) });
      if (deny.length === 0) assert.deepEqual(given, own === undefined ? 'undefined' : JSON.parse(JSON.stringify(own)));
      else {
        const { allowed, reasons } = given as { readonly allowed: boolean; readonly reasons: readonly string[] };
        assert.equal(allowed, false);
        assert.deepEqual(new Set(reasons), new Set(deny));
      }
    }),
    { numRuns: 60 },
  );
});

test('without platform rules the namespace decides alone; without a policy nothing passes, and it is said why', async () => {
  const alone = await loadComposed(compose({ own: await policyPart(OWN) }));
  assert.equal(answerOf(alone, { answer: true }), true);
  const none = await loadComposed(compose({}));
  const reason = 'no policy for namespace agents: create ConfigMap sallyport-policy';
  assert.deepEqual(answerOf(none, {}), { allowed: false, reasons: [reason] });
  const guarded = await loadComposed(compose({ platform: await policyPart(PLATFORM, PLATFORM_DATA) }));
  assert.deepEqual(answerOf(guarded, { path: 'admin' }), { allowed: false, reasons: ['no admin'] });
  assert.deepEqual(answerOf(guarded, {}), { allowed: false, reasons: [reason] });
});

test('data of the cluster: the namespace itself, labels, and the segment of a caller by key', async () => {
  const labels = { 'sallyport.dev/segment': 'workers' };
  const cluster = clusterData({
    trustDomain: 'example.org',
    namespaces: new Map([['agents', { labels, serviceAccounts: new Map([['a', {}]]) }]]),
  });
  const rego = `package sallyport.authz

decision := {"allowed": true, "reasons": [data.kubernetes.namespace, data.kubernetes.segments[input.id]]}
`;
  const own = await policyPart({ 'namespace/a.rego': rego });
  const policy = await loadComposed(compose({ own, cluster }));
  const { reasons } = answerOf(policy, { id: 'spiffe://example.org/ns/agents/sa/a' }) as { reasons: unknown };
  assert.deepEqual(reasons, ['agents', 'workers']);
});

/** A GET that an agent makes of the researcher. */
function call(from: string): unknown {
  return {
    parsed_path: ['v1'],
    attributes: { request: { http: { method: 'GET' } } },
    sallyport: {
      subject: 'request',
      direction: 'inbound',
      peer: { spiffe_id: `spiffe://example.org/ns/agents/sa/${from}` },
      agent: { spiffe_id: 'spiffe://example.org/ns/agents/sa/researcher' },
    },
  };
}

describe('the starter library', () => {
  const cluster = clusterData({
    trustDomain: 'example.org',
    namespaces: new Map([
      [
        'agents',
        {
          labels: { 'sallyport.dev/segment': 'researchers' },
          serviceAccounts: new Map([['planner', { 'sallyport.dev/segment': 'planners' }]]),
        },
      ],
    ]),
  });
  const fleet = {
    segments: { researchers: { functions: { '/v1': { GET: 'read' } }, callers: { planners: { read: true } } } },
  };

  test('data alone is a policy, and labels say who is in which segment', async () => {
    const own = await policyPart({}, { fleet });
    const policy = await loadComposed(compose({ library: await libraryPart(), own, cluster }));
    const allowed = (from: string): boolean => (answerOf(policy, call(from)) as { allowed: boolean }).allowed;
    assert.deepEqual([allowed('planner'), allowed('researcher')], [true, false]);
  });

  test('what the namespace says of an agent counts more than its label', async () => {
    const agents = { 'spiffe://example.org/ns/agents/sa/planner': 'strangers' };
    const own = await policyPart({}, { fleet: { ...fleet, agents } });
    const policy = await loadComposed(compose({ library: await libraryPart(), own, cluster }));
    assert.equal((answerOf(policy, call('planner')) as { allowed: boolean }).allowed, false);
  });

  test("sallyport.authz of the namespace takes the place of the library's; what it stands on it may use, and not replace", async () => {
    const rego = `package sallyport.authz

import data.sallyport.segments

decision := segments.of(input.id) == "planners"
`;
    const own = await policyPart({ 'namespace/authz.rego': rego }, { fleet });
    const policy = await loadComposed(compose({ library: await libraryPart(), own, cluster }));
    assert.equal(answerOf(policy, { id: 'spiffe://example.org/ns/agents/sa/planner' }), true);
    const tampered = await policyPart({ 'namespace/s.rego': 'package sallyport.segments\n\nof(_) := "planners"\n' });
    const refused = compose({ library: await libraryPart(), own: tampered });
    assert.ok(!refused.ok);
    assert.match(
      refused.error.join('\n'),
      /namespace\/s\.rego: package sallyport\.segments comes with the platform's library/,
    );
  });

  test('a namespace that copied the library has its own where the platform brings none', async () => {
    const { rego, declares } = await libraryPart();
    const policy = await loadComposed(compose({ own: { rego, declares, data: { fleet } }, cluster }));
    assert.equal((answerOf(policy, call('planner')) as { allowed: boolean }).allowed, true);
  });
});

test("a decision that nothing answers, or that is the platform's, is refused", async () => {
  const own = await policyPart(OWN);
  const platform = await policyPart(PLATFORM, PLATFORM_DATA);
  for (const decision of [
    'a/b',
    '',
    'decision',
    'sallyport//decision',
    '/sallyport/authz/decision',
    `a/${'b'.repeat(300)}`,
    'a/b\nc',
  ])
    assert.equal(compose({ own, decision }).ok, false, decision);
  for (const decision of ['sallyport/platform/deny', 'sallyport/composed/decision', 'sallyport']) {
    assert.equal(compose({ platform, own, decision }).ok, false, decision);
  }
  const missing = compose({ own, decision: 'envoy/authz/allow' });
  assert.ok(!missing.ok);
  assert.match(missing.error[0] ?? '', /no rule is at the decision envoy\/authz\/allow: .*sallyport\.dev\/decision/);
});

test('data where a rule is would be refused by OPA, and is by us without asking it', async () => {
  const rego = { 'namespace/a.rego': 'package envoy.authz\n\nallow := true\n' };
  for (const data of [{ envoy: { authz: { allow: false } } }, { envoy: { authz: 1 } }, { envoy: [] }]) {
    const clash = compose({ own: await policyPart(rego), decision: 'envoy/authz/allow' });
    assert.ok(clash.ok);
    const refused = compose({ own: { ...(await policyPart(rego)), data }, decision: 'envoy/authz/allow' });
    assert.equal(refused.ok, false, JSON.stringify(data));
  }
  const beside = { ...(await policyPart(rego)), data: { envoy: { authz: { limits: 1 } } } };
  assert.ok(compose({ own: beside, decision: 'envoy/authz/allow' }).ok);
});

test('a name that is none of a namespace never gets into the Rego', () => {
  const cluster = NO_CLUSTER;
  for (const name of ['', 'A', 'a"b', 'a\nb', 'a'.repeat(64), '../x', '-a']) {
    const namespace = { name, part: undefined, decision: DECISION };
    assert.equal(composePolicy({ platform: EMPTY_PART, library: undefined, cluster, namespace }).ok, false, name);
  }
});
