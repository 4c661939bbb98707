import { Permit, type PermittedRequest } from '../../src/core/gate/permit.ts';
import type { DecisionId } from '../../src/core/kernel/brand.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/core/model/limits.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { Upstream } from '../../src/core/config/addresses.ts';
import { createForwarder, type Forwarder } from '../../src/io/forward/forwarder.ts';
import { fakeConnection } from './fake-exchange.ts';
import type { FakeDownstream } from './fake-downstream.ts';

export const DECISION = '7f9c24e8-3b13-4f6a-9f5e-5c1a2f3b4d5e' as DecisionId;

/** A permitted request: `GET /` of no style in particular, unless said otherwise. */
export function permitted(over: Partial<PermittedRequest> = {}): PermittedRequest {
  return {
    style: 'http',
    method: 'GET',
    authority: 'agent.internal',
    target: '/',
    headers: [],
    body: { kind: 'none' },
    grpcTimeoutMs: undefined,
    expectContinue: false,
    responseHeadersToAdd: [],
    ...over,
  };
}

/** A permit as the gate mints them; undefined for a connection. */
export function permitFor(request: PermittedRequest | undefined): Permit {
  return Permit.mint(DECISION, fakeConnection(), request);
}

/** A forwarder to an upstream on loopback. */
export function forwarderTo(
  protocol: Upstream['protocol'],
  at: number | string,
  limits: Partial<Limits> = {},
): Forwarder {
  const address: Upstream['address'] =
    typeof at === 'string' ? { kind: 'unix', path: at } : { kind: 'tcp', host: '127.0.0.1', port: at };
  return createForwarder({ upstream: { protocol, address }, limits: { ...DEFAULT_LIMITS, ...limits } });
}

/** Forwards one request and gives its outcome; fails where it is reported twice. */
export function outcomeOf(
  forwarder: Forwarder,
  downstream: FakeDownstream,
  request: Partial<PermittedRequest> = {},
): Promise<Outcome> {
  return once((done) => forwarder.forward(permitFor(permitted(request)), downstream, done));
}

/** A callback's one value as a promise; a second call is an error that no test can miss. */
export function once<T>(start: (done: (value: T) => void) => void): Promise<T> {
  let calls = 0;
  return new Promise((resolve) => {
    start((value) => {
      calls += 1;
      if (calls > 1) throw new Error('done was called twice');
      resolve(value);
    });
  });
}
