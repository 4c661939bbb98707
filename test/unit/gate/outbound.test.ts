import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { GateSettings } from '../../../src/core/gate/gate.ts';
import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { fault } from '../../../src/core/model/faults.ts';
import type { Connection } from '../../../src/core/model/connection.ts';
import type { RawHead } from '../../../src/core/model/request.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { destinations, destinationTo, RESEARCHER } from '../../support/destination.ts';
import { fakeConnection, FakeExchange, fakePeer } from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakePolicy } from '../../support/fake-gate-world.ts';

const OWN = 'spiffe://example.org/agents/researcher';
const OTHER = 'spiffe://example.org/ns/agents/sa/other' as SpiffeId;
const TOOLS = destinationTo('tools.internal');
const MANY = destinationTo('many.internal', { ids: [RESEARCHER, OTHER], protocol: 'http2' });
const ANYWHERE = destinationTo('*.eu.internal', { address: { host: 'gateway.eu', port: 443 } });
const PRESENTED = { chain: [], authorized: false, authorizationError: undefined };
const TRACE = '0af7651916cd43dd8448eb211c80319c';

function outboundWorld(over: Partial<GateSettings> = {}): FakeGateWorld {
  return new FakeGateWorld({ listener: '127.0.0.1:15001', destinations: destinations(TOOLS, MANY, ANYWHERE), ...over });
}

/** A connection of the agent to our outbound listener. */
function agentConnection(): Connection {
  return fakeConnection({
    direction: 'outbound',
    listener: '127.0.0.1:15001',
    remote: { address: '127.0.0.1', port: 40_001 },
    local: { address: '127.0.0.1', port: 15_001 },
    tls: undefined,
  });
}

/** A call as the agent makes it. */
function call(head: RawHead, over: { connection?: Connection; body?: string } = {}): FakeExchange {
  return new FakeExchange(head, { connection: agentConnection(), peer: { kind: 'anonymous' }, ...over });
}

function get(host: string, headers: readonly string[] = [], target = '/a?b=c'): RawHead {
  return { kind: 'http1', version: '1.1', method: 'GET', target, headers: ['Host', host, ...headers], upgrade: false };
}

function grpc(authority: string): RawHead {
  const pseudo = [':method', 'POST', ':scheme', 'http', ':path', '/a.B/C', ':authority', authority];
  return {
    kind: 'http2',
    headers: [...pseudo, 'content-type', 'application/grpc', 'te', 'trailers'],
    endStream: false,
  };
}

/** What the policy is asked about a call. */
function inputOf(head: RawHead, over: Partial<GateSettings> = {}): FakePolicy['asked'][number] {
  const world = outboundWorld(over);
  const policy = new FakePolicy(true, { peerCertificate: true });
  world.policy = policy;
  world.gate.exchange(call(head));
  return policy.asked[0] ?? assert.fail('not asked');
}

describe('who is let in on an outbound listener', () => {
  test('a connection without a certificate, and identity is not asked', () => {
    const world = outboundWorld();
    world.identity = () => assert.fail('asked');
    assert.deepEqual(world.gate.admit(agentConnection(), PRESENTED), { kind: 'anonymous' });
    assert.deepEqual(world.gate.readmit(agentConnection(), PRESENTED), { kind: 'anonymous' });
  });

  test('promise 6: only where gate and listener both say outbound', () => {
    const rejected = { kind: 'rejected', fault: fault('peer_certificate_missing', ''), claimedId: undefined } as const;
    const inbound = new FakeGateWorld();
    inbound.identity = () => rejected;
    assert.equal(inbound.gate.admit(agentConnection(), PRESENTED).kind, 'rejected');
    const outbound = outboundWorld();
    outbound.identity = () => rejected;
    assert.equal(outbound.gate.admit(fakeConnection(), PRESENTED).kind, 'rejected');
  });

  test('an inbound connection goes nowhere through an outbound gate', () => {
    const world = outboundWorld();
    world.gate.exchange(new FakeExchange({ ...get('tools.internal'), kind: 'http1' } as RawHead, { peer: fakePeer() }));
    assert.equal(world.forwarder.permits.length, 0);
    assert.deepEqual(world.observed, ['deny destination_unknown']);
  });
});

describe('an allowed call', () => {
  test('its permit carries the destination, and the request as the agent named it', () => {
    const world = outboundWorld();
    world.gate.exchange(
      call(get('Tools.Internal:9000', ['Proxy-Connection', 'keep-alive', 'Proxy-Authorization', 'x'])),
    );
    const [permit] = world.forwarder.permits;
    assert.equal(permit?.destination, TOOLS);
    assert.equal(permit.request?.authority, 'tools.internal:9000');
    assert.equal(permit.request.target, '/a?b=c');
    const names = permit.request.headers.filter((_, index) => index % 2 === 0);
    assert.deepEqual(names, ['x-request-id', 'traceparent']);
  });

  test('gRPC: the same, by :authority', () => {
    const world = outboundWorld();
    world.gate.exchange(call(grpc('many.internal')));
    const [permit] = world.forwarder.permits;
    assert.equal(permit?.destination, MANY);
    assert.equal(permit.request?.style, 'grpc');
  });

  test('a forged x-forwarded-client-cert is not sent, and none of ours is', () => {
    const world = outboundWorld();
    const forged = ['X-Forwarded-Client-Cert', 'URI=spiffe://example.org/admin', 'Client-Cert', ':AA==:'];
    world.gate.exchange(call(get('tools.internal', forged)));
    assert.ok(!world.forwarder.permits[0]?.request?.headers.some((text) => text.includes('client')));
  });

  test('W3C Trace Context 3.3: the trace goes on with a span of ours between', () => {
    const world = outboundWorld();
    const parent = 'b7ad6b7169203331';
    world.gate.exchange(call(get('tools.internal', ['traceparent', `00-${TRACE}-${parent}-01`])));
    const headers = world.forwarder.permits[0]?.request?.headers ?? [];
    const sent = headers[headers.indexOf('traceparent') + 1];
    const [record] = world.journal.records;
    assert.equal(record?.trace_id, TRACE);
    assert.notEqual(record.span_id, parent);
    assert.equal(sent, `00-${TRACE}-${record.span_id}-01`);
  });

  test('obligations apply to the call', () => {
    const world = outboundWorld();
    world.policy = new FakePolicy({
      allowed: true,
      headers: { 'x-team': 'blue' },
      request_headers_to_remove: ['x-secret'],
      response_headers_to_add: { 'x-gate': 'yes' },
    });
    world.gate.exchange(call(get('tools.internal', ['X-Secret', 's'])));
    const request = world.forwarder.permits[0]?.request;
    assert.deepEqual(request?.headers.slice(-2), ['x-team', 'blue']);
    assert.ok(!request.headers.includes('x-secret'));
    assert.deepEqual(request.responseHeadersToAdd, ['x-gate', 'yes']);
  });

  test('one connection calls several destinations', () => {
    const world = outboundWorld();
    const connection = agentConnection();
    const hosts = ['tools.internal', 'a.eu.internal', 'tools.internal', 'b.eu.internal'];
    for (const host of hosts) world.gate.exchange(call(get(host), { connection }));
    assert.deepEqual(
      world.forwarder.permits.map(({ destination }) => destination?.name),
      ['tools.internal', '*.eu.internal', 'tools.internal', '*.eu.internal'],
    );
    assert.deepEqual(
      world.journal.records.map(({ sallyport }) => sallyport.destination?.address),
      ['10.0.0.7:8443', 'gateway.eu:443', '10.0.0.7:8443', 'gateway.eu:443'],
    );
  });
});

describe('what the policy sees', () => {
  test('we call, the destination is called', () => {
    const input = inputOf(get('tools.internal'), { contextExtensions: { tier: 'gold' } });
    assert.deepEqual(input.attributes.source, {
      address: { socketAddress: { address: '127.0.0.1', portValue: 40_001 } },
      principal: OWN,
    });
    assert.deepEqual(input.attributes.destination, {
      address: { socketAddress: { address: '10.0.0.7', portValue: 8443 } },
      principal: RESEARCHER,
    });
    assert.equal(input.source_principal, OWN);
    assert.deepEqual(input.attributes.contextExtensions, { tier: 'gold' });
    assert.equal(input.attributes.request?.http.host, 'tools.internal');
    assert.equal(input.attributes.request.http.scheme, 'http');
    assert.equal(input.attributes.tlsSession, undefined);
  });

  test('input.sallyport', () => {
    const { connection, ...input } = inputOf(get('tools.internal')).sallyport;
    assert.deepEqual(Object.keys(connection), ['id']);
    assert.deepEqual(input, {
      direction: 'outbound',
      subject: 'request',
      peer: { spiffe_id: RESEARCHER, trust_domain: 'example.org', path: '/ns/agents/sa/researcher', resumed: false },
      agent: { spiffe_id: OWN, listener: '127.0.0.1:15001' },
      destination: { name: 'tools.internal', host: '10.0.0.7', port: 8443, spiffe_ids: [RESEARCHER] },
    });
  });

  test('where several may be there, nobody is named but in the list', () => {
    const input = inputOf(get('many.internal'));
    assert.equal(input.attributes.destination.principal, undefined);
    assert.deepEqual(input.sallyport.peer, { resumed: false });
    assert.deepEqual(input.sallyport.destination?.spiffe_ids, [RESEARCHER, OTHER]);
  });

  test('promise 2: policy, permit and record tell of the same call', () => {
    const world = outboundWorld();
    const policy = new FakePolicy(true);
    world.policy = policy;
    world.gate.exchange(call(get('a.eu.internal:7')));
    const seen = policy.asked[0]?.attributes.request?.http;
    const [record] = world.journal.records;
    const written = (record?.input as FakePolicy['asked'][number] | undefined)?.attributes.request?.http;
    for (const host of [seen?.host, world.forwarder.permits[0]?.request?.authority, written?.host])
      assert.equal(host, 'a.eu.internal:7');
  });
});

describe('the record', () => {
  test('of a forwarded call: direction, destination, no peer that called', () => {
    const world = outboundWorld();
    world.forwarder.hold = true;
    world.gate.exchange(call(get('tools.internal')));
    const server = { spiffeId: RESEARCHER, serial: '2a' };
    world.forwarder.finish[0]?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 5, server });
    const [record] = world.journal.records;
    assert.equal(record?.sallyport.direction, 'outbound');
    assert.equal(record.sallyport.peer, undefined);
    assert.deepEqual(record.sallyport.destination, {
      name: 'tools.internal',
      address: '10.0.0.7:8443',
      ids: [RESEARCHER],
      peer: { spiffe_id: RESEARCHER, serial: '2a' },
    });
  });

  test('of a denied call: where it would have gone', () => {
    const world = outboundWorld();
    world.policy = new FakePolicy(false);
    const exchange = call(get('tools.internal'));
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.status, 403);
    assert.equal(world.forwarder.permits.length, 0);
    assert.equal(world.journal.records[0]?.sallyport.destination?.name, 'tools.internal');
    assert.deepEqual(world.observed, ['deny policy_denied']);
  });
});

describe('a call that no policy is asked about', () => {
  const refused: readonly (readonly [string, RawHead, string, number])[] = [
    ['a host that is not configured', get('evil.example'), 'destination_unknown', 403],
    ['the listener itself: DNS rebinding ends here', get('127.0.0.1:15001'), 'destination_unknown', 403],
    ['a suffix itself', get('eu.internal'), 'destination_unknown', 403],
    ['a page in a browser: Origin', get('tools.internal', ['Origin', 'http://evil.example']), 'browser_refused', 403],
    ['a page in a browser: Origin null', get('tools.internal', ['Origin', 'null']), 'browser_refused', 403],
    [
      'a page in a browser: cross-site',
      get('tools.internal', ['Sec-Fetch-Site', 'cross-site']),
      'browser_refused',
      403,
    ],
    ['a page in a browser: rebound', get('tools.internal', ['Sec-Fetch-Site', 'same-origin']), 'browser_refused', 403],
    ['a target of another host', get('tools.internal', [], 'http://evil.example/'), 'target_invalid', 400],
    ['https', get('tools.internal', [], 'https://tools.internal/'), 'call_not_plain', 400],
    ['gRPC to nowhere', grpc('evil.example'), 'destination_unknown', 200],
  ];
  for (const [title, head, code, status] of refused) {
    test(`${title}: ${code}`, () => {
      const world = outboundWorld();
      const policy = new FakePolicy(true);
      world.policy = policy;
      const exchange = call(head);
      world.gate.exchange(exchange);
      assert.equal(exchange.answer?.status, status);
      assert.deepEqual(policy.asked, []);
      assert.equal(world.forwarder.permits.length, 0);
      assert.equal(world.journal.records.length, 1);
      const [record] = world.journal.records;
      assert.equal(record?.sallyport.fault, code);
      assert.equal(record.sallyport.destination, undefined);
      assert.doesNotMatch(exchange.answer.body, /internal|evil|destination/);
    });
  }

  test('without an identity of our own the policy is not asked who calls: identity_unavailable', () => {
    const world = outboundWorld();
    const policy = new FakePolicy(true);
    world.policy = policy;
    world.ownId = undefined;
    const exchange = call(get('tools.internal'));
    world.gate.exchange(exchange);
    assert.deepEqual([exchange.answer?.status, policy.asked, world.forwarder.permits], [503, [], []]);
    assert.equal(world.journal.records[0]?.sallyport.fault, 'identity_unavailable');
  });

  test('the record of an unknown host names it', () => {
    const world = outboundWorld();
    world.gate.exchange(call(get('Evil.example:81')));
    assert.equal(world.journal.records[0]?.sallyport.detail, 'no destination is configured for evil.example:81');
  });

  test('sec-fetch-mode alone is no browser: undici sends it', () => {
    const world = outboundWorld();
    world.gate.exchange(call(get('tools.internal', ['Sec-Fetch-Mode', 'cors'])));
    assert.deepEqual(world.observed, ['allow -']);
  });

  test('inbound, Origin is what it was: the policy judges it', () => {
    const world = new FakeGateWorld();
    world.gate.exchange(new FakeExchange(get('agent.internal', ['Origin', 'http://a.example'])));
    assert.deepEqual(world.observed, ['allow -']);
    assert.equal(world.forwarder.permits[0]?.destination, undefined);
  });
});

describe('shadow mode', () => {
  test('promise 5: policy does not block, and says what it would have done', () => {
    const world = outboundWorld({ mode: 'shadow' });
    world.policy = new FakePolicy(false);
    world.gate.exchange(call(get('tools.internal')));
    assert.equal(world.forwarder.permits[0]?.destination, TOOLS);
    assert.deepEqual(world.observed, ['would-deny policy_denied']);
  });

  test('a call to nowhere has nowhere to go', () => {
    const world = outboundWorld({ mode: 'shadow' });
    world.gate.exchange(call(get('evil.example')));
    assert.equal(world.forwarder.permits.length, 0);
    assert.deepEqual(world.observed, ['deny destination_unknown']);
  });

  test('without a policy it passes, with its destination', () => {
    const world = outboundWorld({ mode: 'shadow' });
    world.policy = undefined;
    world.gate.exchange(call(get('tools.internal')));
    assert.equal(world.forwarder.permits[0]?.destination, TOOLS);
    assert.deepEqual(world.observed, ['would-deny policy_unavailable']);
  });
});

describe('a new policy revision', () => {
  test('promise 6: asks about open calls with their destination, and cuts what it no longer allows', () => {
    const world = outboundWorld();
    world.forwarder.hold = true;
    const connection = agentConnection();
    const [kept, cut] = ['tools.internal', 'a.eu.internal'].map((host) => call(get(host), { connection }));
    for (const exchange of [kept, cut]) if (exchange !== undefined) world.gate.exchange(exchange);
    const stricter = new FakePolicy(undefined, {}, '2').answering(({ sallyport }) => ({
      kind: 'defined',
      value: sallyport.destination?.name === 'tools.internal',
      steps: 1,
      cached: false,
    }));
    world.policy = stricter;
    world.gate.rejudge();
    assert.equal(kept?.cutBy, undefined);
    assert.equal(cut?.cutBy?.code, 'policy_withdrawn');
    assert.equal(world.journal.records[0]?.sallyport.destination?.name, '*.eu.internal');
    assert.deepEqual(stricter.asked[1]?.sallyport.destination?.spiffe_ids, [RESEARCHER]);
  });

  test('a call whose body was read is judged again with its destination', () => {
    const world = outboundWorld();
    world.policy = new FakePolicy(true, { parsedBody: true });
    world.forwarder.hold = true;
    const head = get('tools.internal', ['Content-Type', 'application/json', 'Content-Length', '2']);
    world.gate.exchange(call({ ...head, method: 'POST' } as RawHead, { body: '{}' }));
    const again = new FakePolicy(true, { parsedBody: true }, '2');
    world.policy = again;
    world.gate.rejudge();
    assert.deepEqual(again.asked[0]?.parsed_body, {});
    assert.equal(again.asked[0]?.attributes.source.principal, OWN);
    assert.equal(again.asked[0]?.sallyport.destination?.name, 'tools.internal');
  });
});

describe('a listener with a token', () => {
  const headers = ['Proxy-Authorization', 'Bearer secret-of-the-agent'];

  test('a call that shows it passes, and the token goes nowhere: not to the other side, policy or record', () => {
    const world = outboundWorld({ callerToken: 'secret-of-the-agent' });
    const policy = new FakePolicy(true);
    world.policy = policy;
    world.gate.exchange(call(get('tools.internal', headers)));
    assert.deepEqual(world.observed, ['allow -']);
    for (const where of [world.forwarder.permits[0]?.request, policy.asked, world.journal.lines])
      assert.doesNotMatch(JSON.stringify(where), /secret-of|proxy-auth/i);
  });

  test('RFC 9110 15.5.8: any other is 407 with a challenge, in shadow mode too, and no policy is asked', () => {
    for (const mode of ['enforce', 'shadow'] as const) {
      const world = outboundWorld({ callerToken: 'another', mode });
      const exchange = call(get('tools.internal', headers));
      world.gate.exchange(exchange);
      assert.equal(exchange.answer?.status, 407);
      assert.deepEqual(exchange.answer.headers.slice(-2), ['proxy-authenticate', 'Basic realm="sallyport"']);
      assert.deepEqual(world.observed, ['deny caller_refused']);
      assert.doesNotMatch(world.journal.lines.join(''), /secret-of/);
    }
  });

  test('gRPC: UNAUTHENTICATED', () => {
    const world = outboundWorld({ callerToken: 'another' });
    const exchange = call(grpc('tools.internal'));
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.grpcStatus, 16);
  });

  test('an unknown caller does not learn which hosts are configured', () => {
    const world = outboundWorld({ callerToken: 'another' });
    const answers = ['tools.internal', 'evil.example'].map((host) => {
      const exchange = call(get(host));
      world.gate.exchange(exchange);
      return exchange.answer?.status;
    });
    assert.deepEqual(answers, [407, 407]);
  });
});

test('the agent holds no more than one peer may', () => {
  const world = outboundWorld({ limits: { ...DEFAULT_LIMITS, openPerPeer: 1 } });
  world.forwarder.hold = true;
  world.gate.exchange(call(get('tools.internal')));
  world.gate.exchange(call(get('tools.internal')));
  assert.deepEqual(world.observed, ['deny overloaded']);
});

for (const target of [
  'http://agent:s3cret-T0ken@tools.internal/a',
  'HTTP://s3cret-T0ken@other/',
  'http://a:s3cret-T0ken@b@tools.internal',
  'agent:s3cret-T0ken@tools.internal',
]) {
  test(`RFC 9110 4.2.4: what stands before the @ of a target is in no record: ${target}`, () => {
    const world = outboundWorld();
    const exchange = call(get('tools.internal', [], target));
    world.gate.exchange(exchange);
    const [record] = world.journal.records;
    assert.equal(record?.sallyport.fault, 'target_invalid');
    assert.ok(!JSON.stringify(record).includes('s3cret-T0ken'), JSON.stringify(record?.sallyport.request));
    assert.match(record?.sallyport.request?.target ?? '', /^(?:https?:\/\/)?-@(?:tools\.internal|other)/i);
  });
}
