import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { GateSettings } from '../../../src/core/gate/gate.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { fakeConnection, FakeExchange, FakeRawExchange, grpcHead, http1Head } from '../../support/fake-exchange.ts';
import { destinations, destinationTo } from '../../support/destination.ts';
import { FakeGateWorld, FakePolicy } from '../../support/fake-gate-world.ts';

type Schema = {
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
};

const SCHEMA = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'policies', 'schemas', 'input.json'), 'utf8'),
) as Schema;

/** Where a value is not as the schema says; as much of JSON Schema as the input's schema uses. */
function mistakes(value: unknown, schema: Schema, at = 'input'): string[] {
  if (schema.const !== undefined && value !== schema.const) return [`${at}: not ${schema.const}`];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${at}: ${String(value)} is none of ${schema.enum.join()}`];
  if (schema.type !== undefined && typeOf(value) !== schema.type)
    return [`${at}: ${typeOf(value)} where ${schema.type} is said`];
  if (Array.isArray(value))
    return value.flatMap((item, i) => (schema.items === undefined ? [] : mistakes(item, schema.items, `${at}[${i}]`)));
  if (typeof value !== 'object' || value === null || schema.type !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const known = schema.properties?.[key] ?? schema.additionalProperties;
    if (known === true) return [];
    return known === false || known === undefined
      ? [`${at}.${key}: not in the schema`]
      : mistakes(item, known, `${at}.${key}`);
  });
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

const EVERYTHING = { parsedBody: true, rawBody: true, parsedQuery: true, peerCertificate: true };

/** The input that a policy that reads everything gets. */
function inputOf(run: (world: FakeGateWorld) => void, over: Partial<GateSettings> = {}): unknown {
  const world = new FakeGateWorld({ contextExtensions: { tier: 'gold' }, ...over });
  const policy = new FakePolicy(true, EVERYTHING);
  world.policy = policy;
  run(world);
  return JSON.parse(JSON.stringify(policy.asked[0]));
}

const JSON_POST = ['Content-Type', 'application/json', 'Content-Length', '9'];
const inputs: readonly (readonly [string, (world: FakeGateWorld) => void])[] = [
  ['a GET', (world) => world.gate.exchange(new FakeExchange(http1Head('GET', '/a/b?c=d', ['Accept', '*/*'])))],
  [
    'a POST with a JSON body',
    (world) => world.gate.exchange(new FakeExchange(http1Head('POST', '/', JSON_POST), { body: '{"a":[1]}' })),
  ],
  ['a gRPC call', (world) => world.gate.exchange(new FakeExchange(grpcHead('/a.B/C')))],
  [
    'an anonymous peer',
    (world) =>
      world.gate.exchange(
        new FakeExchange(http1Head('GET', '/'), {
          peer: { kind: 'anonymous' },
          connection: fakeConnection({ tls: undefined }),
        }),
      ),
  ],
  ['a connection', (world) => world.gate.raw(new FakeRawExchange())],
];

for (const [title, run] of inputs) {
  test(`policies/schemas/input.json describes every key of the input: ${title}`, () =>
    assert.deepEqual(mistakes(inputOf(run), SCHEMA), []));
}

test("policies/schemas/input.json describes every key of the input: the agent's own call", () => {
  const to = destinations(destinationTo('agent.internal'));
  const connection = fakeConnection({ direction: 'outbound', tls: undefined });
  const exchange = new FakeExchange(http1Head('GET', '/'), { peer: { kind: 'anonymous' }, connection });
  const input = inputOf((world) => world.gate.exchange(exchange), { destinations: to });
  assert.deepEqual(mistakes(input, SCHEMA), []);
  assert.ok((input as PolicyInput).sallyport.destination !== undefined);
});

test('a key that the schema does not know would be found', () => {
  assert.deepEqual(mistakes({ atributes: {} }, SCHEMA), ['input.atributes: not in the schema']);
  assert.deepEqual(mistakes({ parsed_path: 'a' }, SCHEMA), ['input.parsed_path: string where array is said']);
});
