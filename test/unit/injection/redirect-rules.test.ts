import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { redirectRules } from '../../../src/core/injection/redirect-rules.ts';

import type { RedirectPlan } from '../../../src/core/injection/redirect-plan.ts';

const OUTBOUND: RedirectPlan['outbound'] = {
  capture: 'none',
  ports: [],
  to: 15_001,
  excludePorts: [],
  excludeCidrs: [],
};
const PLAN: RedirectPlan = {
  uid: 61_337,
  inbound: [
    { port: 8080, to: 15_100 },
    { port: 9090, to: 15_101 },
  ],
  open: [],
  probe: 15_020,
  outbound: OUTBOUND,
};

/** The rules of one chain, without its head; undefined where there is no such chain. */
function chain(name: string, change: Partial<RedirectPlan> = {}, outbound: Partial<RedirectPlan['outbound']> = {}) {
  const text = redirectRules({ ...PLAN, ...change, outbound: { ...OUTBOUND, ...outbound } });
  const [, body] = new RegExp(`^  chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n  \\}$`, 'm').exec(text) ?? [];
  return body
    ?.split('\n')
    .map((line) => line.trim())
    .slice(1);
}

describe('the rules of a redirection', () => {
  test('an older table goes in the transaction in which the new one comes', () => {
    const lines = redirectRules(PLAN).split('\n');
    assert.deepEqual(lines.slice(0, 3), [
      'add table inet sallyport',
      'delete table inet sallyport',
      'table inet sallyport {',
    ]);
    assert.deepEqual(lines.slice(-2), ['}', '']);
  });

  test('inbound: each guarded port goes to its own of the sidecar, and what stays in the pod is left alone', () => {
    assert.deepEqual(chain('inbound'), [
      'iifname "lo" accept',
      'tcp dport 8080 redirect to :15100',
      'tcp dport 9090 redirect to :15101',
    ]);
  });

  test('arrived: the sidecar, answers and ICMP; the rest is dropped', () => {
    assert.match(redirectRules(PLAN), /chain arrived \{\n {4}type filter hook input priority filter; policy drop;/);
    assert.deepEqual(chain('arrived'), [
      'iifname "lo" accept',
      'ct state established,related accept',
      'meta l4proto { icmp, ipv6-icmp } accept',
      'meta nfproto ipv4 tcp dport { 15020, 15100, 15101 } accept',
    ]);
  });

  test('arrived: metrics where others may read them, and what is open for TCP and UDP', () => {
    assert.deepEqual(chain('arrived', { metrics: 15_000, open: [53, 9100] })?.slice(3), [
      'meta nfproto ipv4 tcp dport { 15000, 15020, 15100, 15101 } accept',
      'tcp dport { 53, 9100 } accept',
      'udp dport { 53, 9100 } accept',
    ]);
  });

  test('a pod without ports is closed', () => {
    assert.deepEqual(chain('arrived', { inbound: [] })?.at(-1), 'meta nfproto ipv4 tcp dport { 15020 } accept');
    assert.deepEqual(chain('inbound', { inbound: [] }), ['iifname "lo" accept']);
  });

  test('outbound none, and declared without destinations: no calls are touched', () => {
    for (const capture of ['none', 'declared'] as const) {
      assert.equal(chain('outbound', {}, { capture }), undefined);
      assert.equal(chain('left', {}, { capture }), undefined);
    }
  });

  const FREE = [
    'meta skuid 61337 accept',
    'oifname "lo" accept',
    'ip daddr 127.0.0.0/8 accept',
    'ip6 daddr ::1 accept',
    'meta l4proto { tcp, udp } th dport 53 accept',
  ];

  test('outbound declared: calls to those ports, but of the sidecar, within the pod, and for names', () => {
    assert.deepEqual(chain('outbound', {}, { capture: 'declared', ports: [8080, 80, 80] }), [
      ...FREE,
      'tcp dport { 80, 8080 } redirect to :15001',
    ]);
    assert.equal(chain('left', {}, { capture: 'declared', ports: [80] }), undefined);
  });

  test('outbound all: every TCP call that is not excluded, and what is not TCP does not leave', () => {
    const rest = { capture: 'all', excludePorts: [5432], excludeCidrs: ['10.0.0.0/8', 'fd00::/8'] } as const;
    const excluded = [
      'meta l4proto { tcp, udp } th dport { 5432 } accept',
      'ip daddr 10.0.0.0/8 accept',
      'ip6 daddr fd00::/8 accept',
    ];
    assert.deepEqual(chain('outbound', {}, rest), [...FREE, ...excluded, 'meta l4proto tcp redirect to :15001']);
    assert.deepEqual(chain('left', {}, rest), [
      ...FREE,
      ...excluded,
      'ct state established,related accept',
      'meta l4proto { icmp, ipv6-icmp } accept',
      'meta l4proto != tcp drop',
    ]);
  });

  test('the text is the same for the same plan, and has no line but rules', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const plan = fc.record({
      uid: fc.integer({ min: 1, max: 100_000 }),
      inbound: fc.array(fc.record({ port, to: port }), { maxLength: 4 }),
      open: fc.array(port, { maxLength: 4 }),
      probe: port,
      outbound: fc.record({
        capture: fc.constantFrom('none' as const, 'declared' as const, 'all' as const),
        ports: fc.array(port, { maxLength: 3 }),
        to: port,
        excludePorts: fc.array(port, { maxLength: 3 }),
        excludeCidrs: fc.subarray(['10.0.0.0/8', '::/0']),
      }),
    });
    fc.assert(
      fc.property(plan, (one) => {
        const text = redirectRules(one);
        assert.equal(redirectRules(structuredClone(one)), text);
        assert.match(text, /^[\x20-\x7e\n]+$/);
        assert.equal(text.split('{').length, text.split('}').length);
      }),
    );
  });
});
