import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import type { Evaluation } from '../../../src/core/model/policy.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import {
  fakeConnection,
  FakeExchange,
  fakePeer,
  FakeRawExchange,
  grpcHead,
  http1Head,
} from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakeJournal, FakePolicy } from '../../support/fake-gate-world.ts';

const JSON_POST = ['Content-Type', 'application/json', 'Content-Length', '9'];
const PRESENTED = { chain: [], authorized: true, authorizationError: undefined };

/** A policy whose evaluation ends like this. */
function failing(evaluation: Evaluation): FakePolicy {
  return new FakePolicy(undefined).answering(() => evaluation);
}

/** A POST with a JSON body of nine bytes. */
function post(body: string): FakeExchange {
  return new FakeExchange(http1Head('POST', '/', JSON_POST), { body });
}

/** A gRPC stream that was allowed and is still open. */
function open(world: FakeGateWorld): FakeExchange {
  const exchange = new FakeExchange(grpcHead('/a.B/Watch'));
  world.forwarder.hold = true;
  world.gate.exchange(exchange);
  return exchange;
}

describe('an allowed request', () => {
  test('is forwarded by permit and recorded once', () => {
    const world = new FakeGateWorld();
    world.gate.exchange(new FakeExchange(http1Head('GET', '/a?b=c')));
    assert.equal(world.forwarder.permits.length, 1);
    assert.equal(world.forwarder.permits[0]?.request?.target, '/a?b=c');
    const [record, ...more] = world.journal.records;
    assert.deepEqual(more, []);
    assert.equal(record?.sallyport.verdict, 'allow');
    assert.equal(record?.sallyport.outcome.kind, 'forwarded');
    assert.equal(record?.sallyport.peer, 'spiffe://example.org/agents/planner');
    assert.deepEqual(record?.bundles, { test: { revision: '1' } });
    assert.equal(record?.decision_id, world.forwarder.permits[0]?.decisionId);
    assert.deepEqual(world.observed, ['allow -']);
    assert.equal(world.gate.openCount, 0);
  });

  test('promise 2: policy, permit and record tell of the same request', () => {
    const world = new FakeGateWorld();
    const policy = new FakePolicy(true);
    world.policy = policy;
    world.gate.exchange(new FakeExchange(http1Head('PUT', '/a/b?x=1', ['X-Team', 'blue', 'Content-Length', '0'])));
    const seen = policy.asked[0]?.attributes.request?.http;
    const wire = world.forwarder.permits[0]?.request;
    const written = (world.journal.records[0]?.input as (typeof policy.asked)[0] | undefined)?.attributes.request?.http;
    assert.equal(seen?.method, 'PUT');
    for (const one of [seen?.path, wire?.target, written?.path]) assert.equal(one, '/a/b?x=1');
    for (let i = 0; i < (wire?.headers.length ?? 0); i += 2) {
      assert.equal(seen?.headers[wire?.headers[i] ?? ''], wire?.headers[i + 1]);
    }
    assert.deepEqual(written, JSON.parse(JSON.stringify(seen)));
  });

  test('obligations are carried out, and the record keeps what the policy said', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy({
      allowed: true,
      headers: { 'x-user': 'ann' },
      response_headers_to_add: { 'x-gate': 'yes' },
    });
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    const request = world.forwarder.permits[0]?.request;
    assert.deepEqual(request?.headers.slice(-2), ['x-user', 'ann']);
    assert.deepEqual(request?.responseHeadersToAdd, ['x-gate', 'yes']);
    const result = world.journal.records[0]?.result as { headers: unknown } | undefined;
    assert.deepEqual(result?.headers, { 'x-user': 'ann' });
  });
});

describe('fault table: what is refused, with which code, and nothing is forwarded', () => {
  const rows: readonly (readonly [string, FakePolicy | undefined, FakeExchange, string, number])[] = [
    ['the policy says no', new FakePolicy(false), new FakeExchange(http1Head('GET', '/')), 'policy_denied', 403],
    [
      'the policy says no in its own words',
      new FakePolicy({ allowed: false, http_status: 401, body: 'who?' }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_denied',
      401,
    ],
    [
      'the policy says nothing',
      failing({ kind: 'undefined', steps: 1, cached: false }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_undefined',
      403,
    ],
    [
      'the policy fails',
      failing({ kind: 'failed', fault: fault('policy_budget_exceeded', ''), steps: 9 }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_budget_exceeded',
      403,
    ],
    [
      'the answer is no decision',
      new FakePolicy({ allowed: 'yes' }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_result_invalid',
      403,
    ],
    [
      'an unknown obligation',
      new FakePolicy({ allowed: true, surprise: 1 }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_result_invalid',
      403,
    ],
    [
      'an obligation that cannot be done',
      new FakePolicy({ allowed: true, headers: { 'bad name': 'x' } }),
      new FakeExchange(http1Head('GET', '/')),
      'policy_obligation_invalid',
      403,
    ],
    ['no policy', undefined, new FakeExchange(http1Head('GET', '/')), 'policy_unavailable', 503],
    [
      'an ambiguous path',
      new FakePolicy(true),
      new FakeExchange(http1Head('GET', '/a/%2e%2e/b')),
      'path_ambiguous',
      400,
    ],
    [
      'two hosts',
      new FakePolicy(true),
      new FakeExchange(http1Head('GET', '/', ['Host', 'other'])),
      'host_invalid',
      400,
    ],
    [
      'a query that is none',
      new FakePolicy(true, { parsedQuery: true }),
      new FakeExchange(http1Head('GET', '/?a;b')),
      'query_malformed',
      400,
    ],
    [
      'a body that is not what it says',
      new FakePolicy(true, { parsedBody: true }),
      new FakeExchange(http1Head('POST', '/', JSON_POST), { body: '{"a":1,,}' }),
      'body_malformed',
      400,
    ],
    [
      'a body that ends early',
      new FakePolicy(true, { parsedBody: true }),
      new FakeExchange(http1Head('POST', '/', JSON_POST), { body: fault('request_timeout', '') }),
      'request_timeout',
      408,
    ],
  ];
  for (const [title, policy, exchange, code, status] of rows) {
    test(`${title}: ${code}, ${status}`, () => {
      const world = new FakeGateWorld();
      world.policy = policy;
      world.gate.exchange(exchange);
      assert.equal(world.forwarder.permits.length, 0);
      assert.equal(exchange.answer?.status, status);
      assert.equal(world.journal.lines.length, 1);
      const [record] = world.journal.records;
      assert.equal(record?.sallyport.fault, code);
      assert.equal(record?.sallyport.verdict, 'deny');
      assert.deepEqual(world.observed, [`deny ${code}`]);
      assert.equal(world.gate.openCount, 0);
    });
  }

  test('promise 9: the record of a head that was refused as a whole says what was asked', () => {
    const world = new FakeGateWorld();
    world.gate.exchange(new FakeExchange(http1Head('PUT', '/a/../b?c=d')));
    world.gate.exchange(new FakeExchange(grpcHead('/a.B/C;x')));
    const [first, second] = world.journal.records.map((record) => record.sallyport.request);
    assert.deepEqual(first, { method: 'PUT', target: '/a/../b?c=d' });
    assert.deepEqual(second, { method: 'POST', target: '/a.B/C;x' });
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.equal(world.journal.records[2]?.sallyport.request, undefined);
  });

  test('a policy that throws is a denial, not a crash (promise 4)', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(true).answering(() => {
      throw new RangeError('stack');
    });
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.equal(world.journal.records[0]?.sallyport.fault, 'policy_failed');
  });

  test('a gRPC call is refused as gRPC, also when its head was refused as a whole', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(false);
    const denied = new FakeExchange(grpcHead('/a.B/C'));
    const malformed = new FakeExchange(grpcHead('/a.B/C', ['grpc-timeout', 'soon']));
    world.gate.exchange(denied);
    world.gate.exchange(malformed);
    assert.equal(denied.answer?.grpcStatus, 7);
    assert.equal(malformed.answer?.status, 200);
    assert.equal(malformed.answer?.grpcStatus, 13);
  });
});

describe('bodies', () => {
  test('are not touched when the policy does not read them', () => {
    const world = new FakeGateWorld();
    const exchange = post('{"a":1}  ');
    world.gate.exchange(exchange);
    assert.equal(exchange.collected, 0);
    assert.equal('parsed_body' in ((world.policy as FakePolicy).asked[0] ?? {}), false);
  });

  test('are read when it does, and never written to the record', () => {
    const world = new FakeGateWorld();
    const policy = new FakePolicy(true, { parsedBody: true });
    world.policy = policy;
    world.gate.exchange(post('{"secret":"hunter2"}'));
    assert.deepEqual(policy.asked[0]?.parsed_body, { secret: 'hunter2' });
    assert.equal(policy.asked[0]?.truncated_body, false);
    assert.equal(world.journal.lines[0]?.includes('hunter2'), false);
    assert.ok(world.journal.records[0]?.erased?.includes('/input/parsed_body'));
  });

  test('a body over the limit is refused: 413', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(true, { parsedBody: true });
    const exchange = new FakeExchange(
      http1Head('POST', '/', ['Content-Type', 'application/json', 'Content-Length', '70000']),
      { body: ' '.repeat(70_000) },
    );
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.status, 413);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'body_too_large');
  });

  for (const code of ['peer_aborted', 'request_timeout', 'request_malformed'] as const) {
    test(`a body that did not come (${code}) is refused unjudged, and the record says who asked for what`, () => {
      const world = new FakeGateWorld();
      const policy = new FakePolicy(true, { parsedBody: true });
      world.policy = policy;
      const head = http1Head('POST', '/tools?x=1', ['Content-Type', 'application/json', 'Content-Length', '9']);
      world.gate.exchange(new FakeExchange(head, { body: fault(code, 'it broke off') }));
      const [record] = world.journal.records;
      assert.equal(record?.sallyport.fault, code);
      const input = record?.input as PolicyInput | undefined;
      const { method, path } = input?.attributes.request?.http ?? {};
      assert.deepEqual([method, path], ['POST', '/tools?x=1']);
      assert.equal(policy.asked.length, 0);
      assert.equal(world.forwarder.permits.length, 0);
    });
  }

  test('a revision that comes while the body is read and reads it decides on it', () => {
    const world = new FakeGateWorld();
    const later = new FakePolicy(false, { parsedBody: true }, '2');
    world.policy = new FakePolicy(true, { rawBody: true });
    const exchange = post('{"a":1}  ');
    const collect = exchange.collectBody.bind(exchange);
    exchange.collectBody = (limit, enough, done) => {
      world.policy = later;
      collect(limit, enough, done);
    };
    world.gate.exchange(exchange);
    assert.deepEqual(later.asked[0]?.parsed_body, { a: 1 });
    assert.deepEqual(world.journal.records[0]?.bundles, { test: { revision: '2' } });
    assert.equal(world.forwarder.permits.length, 0);
  });

  test('a gRPC stream without descriptors is never held back', () => {
    const world = new FakeGateWorld();
    const policy = new FakePolicy(true, { parsedBody: true, rawBody: true });
    world.policy = policy;
    const exchange = new FakeExchange(grpcHead('/a.B/C'));
    world.gate.exchange(exchange);
    assert.equal(exchange.collected, 0);
    assert.equal(policy.asked[0]?.parsed_body, null);
    assert.equal(world.forwarder.permits.length, 1);
  });
});

describe('promise 5: shadow mode never blocks on policy and says what would have been', () => {
  test('no policy yet: requests and connections are forwarded, and the record says that they would not have been', () => {
    for (const exchange of [new FakeExchange(http1Head('GET', '/')), undefined]) {
      const world = new FakeGateWorld({ mode: 'shadow' });
      world.policy = undefined;
      if (exchange === undefined) world.gate.raw(new FakeRawExchange());
      else world.gate.exchange(exchange);
      const [record, ...more] = world.journal.records;
      assert.deepEqual(more, []);
      const { verdict, fault: code, outcome } = record?.sallyport ?? {};
      assert.deepEqual([verdict, code, outcome?.kind], ['would-deny', 'policy_unavailable', 'forwarded']);
    }
  });

  const rows: readonly (readonly [string, FakePolicy, string, FakeExchange])[] = [
    ['a denial', new FakePolicy(false), 'policy_denied', new FakeExchange(http1Head('GET', '/'))],
    [
      'an undefined answer',
      new FakePolicy(undefined).answering(() => ({ kind: 'undefined', steps: 0, cached: false })),
      'policy_undefined',
      new FakeExchange(http1Head('GET', '/')),
    ],
    [
      'an evaluation error',
      new FakePolicy(undefined).answering(() => ({ kind: 'failed', fault: fault('policy_failed', ''), steps: 0 })),
      'policy_failed',
      new FakeExchange(http1Head('GET', '/')),
    ],
    ['a malformed answer', new FakePolicy('yes'), 'policy_result_invalid', new FakeExchange(http1Head('GET', '/'))],
    [
      'an unreadable body',
      new FakePolicy(true, { parsedBody: true }),
      'body_malformed',
      new FakeExchange(http1Head('POST', '/', JSON_POST), { body: '{{{{{{{{{' }),
    ],
    [
      'a body over the limit',
      new FakePolicy(true, { parsedBody: true }),
      'body_too_large',
      new FakeExchange(http1Head('POST', '/', ['Content-Type', 'application/json', 'Content-Length', '70000']), {
        body: ' '.repeat(70_000),
      }),
    ],
    ['an unreadable query', new FakePolicy(true), 'query_malformed', new FakeExchange(http1Head('GET', '/?a;b'))],
  ];
  for (const [title, policy, code, exchange] of rows) {
    test(`${title}: forwarded, would-deny ${code}`, () => {
      const world = new FakeGateWorld({ mode: 'shadow' });
      world.policy = policy;
      world.gate.exchange(exchange);
      assert.equal(world.forwarder.permits.length, 1);
      const [record] = world.journal.records;
      assert.equal(record?.sallyport.verdict, 'would-deny');
      assert.equal(record?.sallyport.fault, code);
      assert.equal(record?.sallyport.mode, 'shadow');
    });
  }

  test('obligations of a policy on trial do not change traffic', () => {
    const world = new FakeGateWorld({ mode: 'shadow' });
    world.policy = new FakePolicy({ allowed: true, headers: { 'x-user': 'ann' } });
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.equal(world.forwarder.permits[0]?.request?.headers.includes('x-user'), false);
    assert.equal(world.journal.records[0]?.sallyport.verdict, 'allow');
  });

  test('what is ambiguous on the wire is refused all the same', () => {
    const world = new FakeGateWorld({ mode: 'shadow' });
    world.gate.exchange(new FakeExchange(http1Head('GET', '/a//b')));
    assert.equal(world.forwarder.permits.length, 0);
    assert.equal(world.journal.records[0]?.sallyport.verdict, 'deny');
  });
});

describe('promise 3: the journal comes first', () => {
  test('a full journal slows down: nothing is decided until there is room', () => {
    const world = new FakeGateWorld({}, new FakeJournal(0));
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.equal((world.policy as FakePolicy).asked.length, 0);
    world.journal.waiting[0]?.(true);
    assert.equal(world.forwarder.permits.length, 1);
    assert.equal(world.journal.lines.length, 1);
  });

  test('and refuses when none comes: journal_unavailable, 503, still one record', () => {
    const world = new FakeGateWorld({}, new FakeJournal(0));
    const exchange = new FakeExchange(http1Head('GET', '/'));
    world.gate.exchange(exchange);
    world.journal.waiting[0]?.(false);
    assert.equal(exchange.answer?.status, 503);
    assert.equal(world.forwarder.permits.length, 0);
    assert.equal(world.journal.lines.length, 0);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'journal_unavailable');
  });

  test('what the policy drops gives its room back', () => {
    const world = new FakeGateWorld();
    const policy = new FakePolicy(true);
    policy.drop = () => ({ kind: 'defined', value: true, steps: 0, cached: false });
    world.policy = policy;
    const room = world.journal.room;
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.deepEqual(world.journal.records, []);
    assert.equal(world.journal.room, room);
  });

  test('an outcome that is told twice is written once', () => {
    const world = new FakeGateWorld();
    world.forwarder.hold = true;
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    const [finish] = world.forwarder.finish;
    finish?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
    finish?.({ kind: 'forwarded', status: 500, bytesIn: 0, bytesOut: 0 });
    assert.equal(world.journal.lines.length, 1);
  });

  test('a connection refused before a request has its record, with the ID that it claimed', () => {
    const world = new FakeGateWorld();
    const connection = fakeConnection();
    const reason = fault('peer_chain_untrusted', 'no path');
    world.identity = () => ({ kind: 'rejected', fault: reason, claimedId: 'spiffe://evil.org/x' });
    assert.equal(world.gate.admit(connection, PRESENTED).kind, 'rejected');
    world.gate.refused(connection, reason, undefined);
    const [record, ...more] = world.journal.records;
    assert.deepEqual(more, []);
    assert.equal(record?.sallyport.fault, 'peer_chain_untrusted');
    assert.equal(record?.sallyport.peer, 'spiffe://evil.org/x');
  });

  test('a request that no parser could read has its record and its answer', () => {
    const world = new FakeGateWorld();
    const answer = world.gate.unreadable(fakeConnection(), fakePeer(), fault('request_malformed', 'bare LF'));
    assert.equal(answer.status, 400);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'request_malformed');
    assert.equal(world.journal.records[0]?.sallyport.peer, 'spiffe://example.org/agents/planner');
  });
});

describe('identity', () => {
  test('what the TLS library refused is refused although our rules found nothing', () => {
    const world = new FakeGateWorld();
    const peer = world.gate.admit(fakeConnection(), {
      chain: [],
      authorized: false,
      authorizationError: 'CERT_HAS_EXPIRED',
    });
    assert.equal(peer.kind === 'rejected' && peer.fault.code, 'peer_transport_unauthorized');
  });

  test('what our rules refuse is refused although the TLS library authorized it', () => {
    const world = new FakeGateWorld();
    world.identity = () => ({ kind: 'rejected', fault: fault('peer_id_ambiguous', ''), claimedId: undefined });
    const peer = world.gate.admit(fakeConnection(), PRESENTED);
    assert.equal(peer.kind === 'rejected' && peer.fault.code, 'peer_id_ambiguous');
  });
});

describe('promise 6: a new policy revision re-judges what is open', () => {
  test('an open stream that it denies is cut, with one record that says so', () => {
    const world = new FakeGateWorld();
    const exchange = open(world);
    world.policy = new FakePolicy(false, {}, '2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy?.code, 'policy_withdrawn');
    const [record, ...more] = world.journal.records;
    assert.deepEqual(more, []);
    assert.equal(record?.sallyport.outcome.kind, 'aborted');
    assert.equal(record?.sallyport.outcome.fault, 'policy_withdrawn');
  });

  test('one that it allows goes on', () => {
    const world = new FakeGateWorld();
    const exchange = open(world);
    world.policy = new FakePolicy(true, {}, '2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy, undefined);
    assert.equal(world.gate.openCount, 1);
  });

  test('a revision that reads more is given more: the certificate that the one before did not read', () => {
    const world = new FakeGateWorld();
    const exchange = open(world);
    const later = new FakePolicy(undefined, { peerCertificate: true }, '2').answering((input) => {
      return { kind: 'defined', value: input.attributes.source.certificate !== undefined, steps: 1, cached: false };
    });
    world.policy = later;
    world.gate.rejudge();
    assert.equal(later.asked.length, 1);
    assert.equal(exchange.cutBy, undefined);
  });

  test('the same revision asks nothing', () => {
    const world = new FakeGateWorld();
    open(world);
    world.gate.rejudge();
    assert.equal((world.policy as FakePolicy).asked.length, 1);
  });

  test('shadow mode cuts nothing', () => {
    const world = new FakeGateWorld({ mode: 'shadow' });
    const exchange = open(world);
    world.policy = new FakePolicy(false, {}, '2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy, undefined);
  });

  test('a policy that reads bodies does not judge a request whose body went by unread', () => {
    const world = new FakeGateWorld();
    const exchange = new FakeExchange(http1Head('POST', '/', JSON_POST), { body: '{"a":1}  ' });
    world.forwarder.hold = true;
    world.gate.exchange(exchange);
    world.policy = new FakePolicy(false, { parsedBody: true }, '2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy, undefined);
  });
});

describe('promise 8: one peer cannot hold all the room', () => {
  const limits = { ...DEFAULT_LIMITS, openPerPeer: 2 };
  const other = fakePeer('spiffe://example.org/agents/other');

  test('what it opens beyond its share is refused with overloaded, 503, and recorded; others go on', () => {
    const world = new FakeGateWorld({ limits });
    open(world);
    open(world);
    const third = new FakeExchange(http1Head('GET', '/'));
    world.gate.exchange(third);
    assert.equal(third.answer?.status, 503);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'overloaded');
    assert.equal(world.forwarder.permits.length, 2);
    world.gate.exchange(new FakeExchange(http1Head('GET', '/'), { peer: other }));
    assert.equal(world.forwarder.permits.length, 3);
  });

  test('the share is free again when requests end, refused ones too', () => {
    const world = new FakeGateWorld({ limits });
    for (let i = 0; i < 10; i += 1) world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    assert.equal(world.forwarder.permits.length, 10);
    open(world);
    open(world);
    world.gate.exchange(new FakeExchange(http1Head('GET', '/')));
    for (const finish of world.forwarder.finish) finish({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
    const after = new FakeExchange(http1Head('GET', '/'));
    world.gate.exchange(after);
    assert.equal(after.answer, undefined);
    assert.equal(world.journal.room, 1_000 - 14, 'each record took its room');
  });

  test('a raw connection counts as well', () => {
    const world = new FakeGateWorld({ limits });
    open(world);
    open(world);
    const raw = new FakeRawExchange();
    world.gate.raw(raw);
    assert.equal(raw.refused, true);
  });
});

describe('a connection whose bytes are forwarded unread', () => {
  test('is decided on who calls, without a request, and recorded when it ends', () => {
    const world = new FakeGateWorld();
    world.gate.raw(new FakeRawExchange());
    const [asked] = (world.policy as FakePolicy).asked;
    assert.equal(asked?.attributes.request, undefined);
    assert.equal(asked?.sallyport.subject, 'connection');
    assert.equal(world.forwarder.permits[0]?.request, undefined);
    assert.equal(world.journal.records.length, 1);
  });

  test('is closed unforwarded when denied', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(false);
    const exchange = new FakeRawExchange();
    world.gate.raw(exchange);
    assert.equal(exchange.refused, true);
    assert.equal(world.forwarder.permits.length, 0);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'policy_denied');
  });

  test('is cut when a new revision denies it', () => {
    const world = new FakeGateWorld();
    world.forwarder.hold = true;
    const exchange = new FakeRawExchange();
    world.gate.raw(exchange);
    world.policy = new FakePolicy(false, {}, '2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy?.code, 'policy_withdrawn');
    assert.equal(world.journal.records.length, 1);
  });
});
