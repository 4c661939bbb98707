import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { DEFAULT_MASK, maskInput } from '../../../src/core/record/default-mask.ts';
import { inputText } from '../../../src/core/record/input-text.ts';
import { inert } from '../../../src/core/record/json-text.ts';
import { sampleInput } from '../../support/record-facts.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

/** What the gate makes once a connection, in its order. */
const connection = fc
  .record({ address: text, sni: optional(text), extension: optional(text), principal: optional(text), id: text })
  .map(({ address, sni, extension, principal, id }) => {
    const { attributes, version, sallyport } = sampleInput();
    const { destination } = attributes;
    return {
      source: { address: { socketAddress: { address, portValue: 1 } }, ...(principal !== undefined && { principal }) },
      destination,
      others: {
        ...(sni !== undefined && { tlsSession: { sni } }),
        ...(extension !== undefined && { contextExtensions: { [extension]: extension } }),
        metadataContext: {},
      },
      version,
      principal: principal === undefined ? {} : { source_principal: principal },
      sallyport: { ...sallyport, connection: { id } },
    };
  });

const request = fc.record({
  headers: fc.dictionary(fc.oneof(text, fc.constantFrom('authorization', '__proto__', 'constructor', 'toJSON')), text),
  path: fc.array(text),
  query: fc.dictionary(text, fc.array(text)),
  body: optional(fc.record({ parsed_body: fc.jsonValue(), truncated_body: fc.boolean() })),
  raw: optional(text),
});

type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;

function inputOf(of: Of<typeof connection>, { headers, path, query, body, raw }: Of<typeof request>): PolicyInput {
  const sample = sampleInput().attributes.request;
  assert.ok(sample !== undefined);
  const http = { ...sample.http, headers, ...(raw !== undefined && { body: raw }) };
  const { source, destination, others, version, principal, sallyport } = of;
  return {
    attributes: { source, destination, request: { ...sample, http }, ...others },
    version,
    parsed_path: path,
    parsed_query: query,
    ...body,
    ...principal,
    sallyport,
  };
}

test('property: the bytes are those of JSON.stringify, for hostile texts, request after request, masked or not', () => {
  fc.assert(
    fc.property(connection, fc.array(request, { minLength: 1, maxLength: 4 }), (of, requests) => {
      for (const one of requests) {
        const input = inputOf(of, one);
        assert.equal(inputText(input), inert(JSON.stringify(input)));
        const masked = maskInput(input, DEFAULT_MASK, { erased: [], masked: [] });
        assert.equal(inputText(masked), inert(JSON.stringify(masked)));
      }
    }),
  );
});

test('property: a part of the connection that is another one is never taken for the one before', () => {
  fc.assert(
    fc.property(connection, connection, request, fc.nat(5), (first, second, one, which) => {
      inputText(inputOf(first, one));
      const names = ['source', 'destination', 'others', 'version', 'principal'] as const;
      const name = names[which % names.length] ?? 'source';
      const input = inputOf({ ...first, [name]: structuredClone(second[name]) }, one);
      assert.equal(inputText(input), inert(JSON.stringify(input)));
    }),
  );
});

const base = sampleInput();
const OTHERS: readonly (readonly [title: string, input: unknown])[] = [
  ['a member that nobody knows', { ...base, later: { facts: true } }],
  ['an attribute that nobody knows', { ...base, attributes: { ...base.attributes, later: 1 } }],
  ['an attribute that is missing', { ...base, attributes: { ...base.attributes, metadataContext: undefined } }],
  ['another order', Object.fromEntries(Object.entries(base).toReversed())],
  ['a connection without a request', { ...base, attributes: { ...base.attributes, request: undefined } }],
  ['no path', { ...base, parsed_path: undefined }],
  ['no query', { ...base, parsed_query: undefined }],
];
for (const [title, input] of OTHERS) {
  test(`${title}: every member is in the text`, () => {
    assert.equal(inputText(input as PolicyInput), inert(JSON.stringify(input)));
  });
}
