import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { matches, networkPolicyRules, type PolicyObject, type PodObject, type PolicyWorld } from './network-policy.ts';

function pod(name: string, podIP: string, namespace = 'agents'): PodObject {
  const ports = [{ name: 'web', containerPort: 8080 }];
  return { metadata: { name, namespace, labels: { app: name } }, spec: { containers: [{ ports }] }, status: { podIP } };
}

function policy(spec: PolicyObject['spec'], namespace = 'agents'): PolicyObject {
  return { metadata: { namespace }, spec };
}

const NAMESPACES = ['agents', 'other'].map((name) => ({ metadata: { name, labels: { name } } }));
const PODS = [pod('server', '10.0.0.1'), pod('caller', '10.0.0.2'), pod('foreign', '10.0.0.3', 'other')];
const SERVER = { matchLabels: { app: 'server' } };

/** Rules of one chain, without its drop. */
function chain(world: Partial<PolicyWorld>, name: string): readonly string[] | undefined {
  const text = networkPolicyRules({ policies: [], pods: PODS, namespaces: NAMESPACES, ...world });
  const lines = new RegExp(`chain ${name} \\{\\n([^]*?)\\n  \\}\\n`).exec(text)?.[1]?.trimEnd().split('\n');
  const rules = lines?.map((line) => line.trim());
  assert.equal(rules?.at(-1) ?? 'drop', 'drop');
  return rules?.slice(0, -1);
}

const named = (name: string): object => ({ matchLabels: { name } });

/** What the server's chain says of one rule of ingress. */
function ingress(rule: object): readonly string[] | undefined {
  return chain({ policies: [policy({ podSelector: SERVER, ingress: [rule] })] }, 'ingress_10_0_0_1');
}

const from = (...peers: readonly object[]): readonly string[] | undefined => ingress({ from: peers });
const ports = (...list: readonly object[]): readonly string[] | undefined => ingress({ ports: list });

describe('networking.k8s.io/v1 NetworkPolicy as rules', () => {
  test('a pod that no policy selects is not looked at', () => {
    const policies = [policy({ podSelector: SERVER })];
    assert.deepEqual(chain({ policies }, 'ingress_10_0_0_1'), []);
    assert.equal(chain({ policies }, 'ingress_10_0_0_2'), undefined);
    assert.equal(chain({ policies }, 'egress_10_0_0_1'), undefined);
    assert.equal(chain({ policies: [policy({ podSelector: SERVER }, 'other')] }, 'ingress_10_0_0_1'), undefined);
  });

  test('an empty podSelector selects every pod of the namespace', () => {
    const policies = [policy({ podSelector: {} })];
    assert.deepEqual(
      [chain({ policies }, 'ingress_10_0_0_2'), chain({ policies }, 'ingress_10_0_0_3')],
      [[], undefined],
    );
  });

  test('from: pods of the policy’s own namespace, of selected namespaces, both, blocks of addresses', () => {
    assert.deepEqual(from({ podSelector: {} }), ['ip saddr 10.0.0.1 return', 'ip saddr 10.0.0.2 return']);
    assert.deepEqual(from({ namespaceSelector: named('other') }), ['ip saddr 10.0.0.3 return']);
    const neither = { namespaceSelector: named('other'), podSelector: { matchLabels: { app: 'caller' } } };
    assert.deepEqual(from(neither), []);
    const block = { cidr: '10.1.0.0/16', except: ['10.1.2.0/24'] };
    assert.deepEqual(from({ ipBlock: block }), ['ip saddr 10.1.0.0/16 ip saddr != { 10.1.2.0/24 } return']);
  });

  test('ports: numbers, ranges, names of the pod’s own, protocols; none are all', () => {
    assert.deepEqual(ports(), ['return']);
    assert.deepEqual(ports({ port: 80 }), ['tcp dport 80 return']);
    assert.deepEqual(ports({ port: 80, endPort: 90 }), ['tcp dport 80-90 return']);
    assert.deepEqual(ports({ port: 'web' }), ['tcp dport 8080 return']);
    assert.deepEqual(ports({ port: 'none' }), []);
    assert.deepEqual(ports({ protocol: 'UDP' }, { protocol: 'UDP', port: 53 }), [
      'meta l4proto udp return',
      'udp dport 53 return',
    ]);
  });

  test('policies add up', () => {
    const policies = [80, 90].map((port) => policy({ podSelector: SERVER, ingress: [{ ports: [{ port }] }] }));
    assert.deepEqual(chain({ policies }, 'ingress_10_0_0_1'), ['tcp dport 80 return', 'tcp dport 90 return']);
  });

  test('policyTypes: egress where it is named, or where there are rules for it', () => {
    const to = [{ ipBlock: { cidr: '10.9.0.0/16' } }];
    const named = [policy({ podSelector: SERVER, policyTypes: ['Egress'] })];
    assert.deepEqual(
      [chain({ policies: named }, 'egress_10_0_0_1'), chain({ policies: named }, 'ingress_10_0_0_1')],
      [[], undefined],
    );
    const implied = [policy({ podSelector: SERVER, egress: [{ to }] })];
    assert.deepEqual(chain({ policies: implied }, 'egress_10_0_0_1'), ['ip daddr 10.9.0.0/16 return']);
    assert.deepEqual(chain({ policies: implied }, 'ingress_10_0_0_1'), []);
  });

  test('pods without an address, ended ones and those of the host’s network are not there', () => {
    const policies = [policy({ podSelector: {} })];
    const [server] = PODS;
    const others: readonly PodObject[] = [
      { ...server!, status: {} },
      { ...server!, status: { podIP: '10.0.0.1', phase: 'Succeeded' } },
      { ...server!, spec: { hostNetwork: true } },
    ];
    assert.equal(chain({ policies, pods: others }, 'ingress_10_0_0_1'), undefined);
  });
});

describe('label selectors', () => {
  const cases: readonly (readonly [string, readonly string[] | undefined, boolean])[] = [
    ['In', ['a', 'b'], true],
    ['In', ['b'], false],
    ['NotIn', ['b'], true],
    ['NotIn', ['a'], false],
    ['Exists', undefined, true],
    ['DoesNotExist', undefined, false],
  ];
  for (const [operator, values, expected] of cases) {
    test(`matchExpressions: ${operator} ${values?.join() ?? ''}`, () => {
      const expression = { key: 'app', operator, ...(values !== undefined && { values }) };
      assert.equal(matches({ matchExpressions: [expression] }, { app: 'a' }), expected);
    });
  }

  test('all of it has to hold; an unknown operator is a fault of the test', () => {
    const matchLabels = { app: 'a' };
    assert.equal(matches({ matchLabels, matchExpressions: [{ key: 'x', operator: 'Exists' }] }, { app: 'a' }), false);
    assert.throws(() => matches({ matchExpressions: [{ key: 'x', operator: 'Near' }] }, {}), /Near/);
  });
});
