import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import { connectionInput, requestInput } from '../../../src/core/gate/input.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { fakeConnection, fakePeer } from '../../support/fake-exchange.ts';
import { accepted, http1 } from '../../support/raw-head.ts';

const base = connectionInput(
  fakeConnection(),
  fakePeer(),
  { spiffeId: undefined, listener: '0.0.0.0:8443', contextExtensions: {} },
  'request',
);
const NEEDS = { parsedBody: false, rawBody: false, parsedQuery: false, peerCertificate: false };

/** The header map of a request that was made canonical with these fields, whatever the fields are. */
function headersOf(fields: readonly string[]): Readonly<Record<string, string>> {
  const request = { ...accepted(http1()), headers: fields };
  const input: PolicyInput = requestInput(base, request, 'id', 0, NEEDS, {
    parsedPath: [''],
    parsedQuery: {},
    body: undefined,
  });
  return input.attributes.request?.http.headers ?? {};
}

test('OPA-Envoy: pseudo-header fields are in the map, and repeated fields are joined by a comma', () => {
  assert.deepEqual(headersOf(['accept', 'a', 'x-one', '1', 'accept', 'b', 'accept', '']), {
    ':authority': 'agent.example.org',
    ':method': 'GET',
    ':path': '/',
    ':scheme': 'https',
    accept: 'a,b,',
    'x-one': '1',
  });
});

const NAMES = ['accept', 'x-a', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '0', ''] as const;
const field = fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: 'binary', maxLength: 8 })), fc.string());

test('property: a name that every object inherits is a name like any other, and only what was sent is in the map', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
      const map = headersOf(fields.flat());
      const expected = new Map<string, string>();
      for (const [name, value] of fields) {
        const before = expected.get(name);
        expected.set(name, before === undefined ? value : `${before},${value}`);
      }
      for (const [name, value] of expected) {
        if (name.startsWith(':')) continue;
        assert.deepEqual(Object.getOwnPropertyDescriptor(map, name), {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      for (const name of Object.keys(map)) assert.ok(name.startsWith(':') || expected.has(name), name);
      assert.equal(Object.getPrototypeOf(map), Object.prototype);
    }),
  );
});
