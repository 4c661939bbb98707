import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { sidecarStatus, type StatusParts } from '../../../src/app/sidecar-status.ts';
import { readSidecarStatus } from '../../../src/app/kube/sidecar-status.ts';
import { samplePolicy } from '../../support/record-facts.ts';
import { configOf, minimalWith } from '../config/sample.ts';

const NOTHING = { current: undefined, problem: undefined };
const SECRET = 'a-token-that-must-not-be-shown';

function parts(over: Partial<StatusParts> = {}): StatusParts {
  const changes = {
    'policy/bundle': `https://b.test/now?sig=${SECRET}`,
    'policy/candidate': { bundle: 'next', decision: 'a/next' },
    'policy/bundleServer': { token: SECRET },
  };
  return {
    config: configOf(minimalWith(changes)),
    started: true,
    draining: false,
    identity: {
      current: { own: { spiffeId: 'spiffe://example.org/a', validUntilMs: 1_700_000_000_000 } },
      problem: undefined,
    },
    policy: { current: { policy: samplePolicy() }, problem: undefined },
    candidate: NOTHING,
    bound: {
      inbound: [{ address: '0.0.0.0', port: 15_100 }],
      outbound: [
        { address: '::1', port: 15_001 },
        { address: '/run/a.sock', port: 0 },
      ],
    },
    ...over,
  };
}

describe('/status', () => {
  test('tells who we are, what decides and where we listen', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(sidecarStatus(parts()))), {
      mode: 'enforce',
      started: true,
      draining: false,
      identity: { source: 'files', id: 'spiffe://example.org/a', notAfter: '2023-11-14T22:13:20.000Z' },
      policy: { revision: 'r1', decision: 'sallyport/authz/decision', candidate: { decision: 'a/next' } },
      listeners: { inbound: ['0.0.0.0:15100'], outbound: ['[::1]:15001', '/run/a.sock'] },
      problems: [],
    });
  });

  test('nothing is there yet: what is not known is left out', () => {
    const empty = parts({ started: false, identity: NOTHING, policy: NOTHING, candidate: undefined, bound: undefined });
    assert.deepEqual(JSON.parse(JSON.stringify(sidecarStatus(empty))), {
      mode: 'enforce',
      started: false,
      draining: false,
      identity: { source: 'files' },
      policy: { decision: 'sallyport/authz/decision' },
      listeners: { inbound: [], outbound: [] },
      problems: [],
    });
  });

  test('problems are named, and no secret of the configuration stands in it', () => {
    const status = sidecarStatus(
      parts({ policy: { ...NOTHING, problem: ['one', 'two'] }, candidate: { ...NOTHING, problem: ['three'] } }),
    );
    assert.deepEqual(status.problems, ['policy: one', 'policy: two', 'candidate: three']);
    assert.equal(status.policy.problem, 'one');
    assert.ok(!JSON.stringify(status).includes(SECRET));
  });

  test('`sallyport kube status` reads it', () => {
    const candidate = { current: { policy: samplePolicy() }, problem: undefined };
    const read = readSidecarStatus(
      JSON.parse(JSON.stringify({ version: '1', ...sidecarStatus(parts({ candidate })) })),
    );
    assert.deepEqual(
      [read?.version, read?.mode, read?.id, read?.notAfterMs, read?.revision, read?.candidate, read?.draining],
      ['1', 'enforce', 'spiffe://example.org/a', 1_700_000_000_000, 'r1', 'r1', false],
    );
  });
});
