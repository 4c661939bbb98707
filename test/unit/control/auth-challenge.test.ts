import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readChallenge } from '../../../src/io/control/auth-challenge.ts';

const REALM = 'https://auth.example.org/token';

describe('RFC 9110 11.6.1: what a registry wants to be shown', () => {
  const CASES: readonly (readonly [field: string, challenge: ReturnType<typeof readChallenge>])[] = [
    [`Bearer realm="${REALM}",service="r",scope="repository:p:pull"`, { kind: 'bearer', realm: REALM, service: 'r' }],
    [`bearer REALM="${REALM}"`, { kind: 'bearer', realm: REALM, service: undefined }],
    [`Bearer service=r , realm = "${REALM}" `, { kind: 'bearer', realm: REALM, service: 'r' }],
    [`Bearer realm="a\\"b\\\\c",service=""`, { kind: 'bearer', realm: 'a"b\\c', service: '' }],
    [`Bearer realm="${REALM}", realm="https://other.example"`, { kind: 'bearer', realm: REALM, service: undefined }],
    [`Bearer realm="${REALM}", Basic realm="x"`, { kind: 'bearer', realm: REALM, service: undefined }],
    ['Basic realm="registry"', { kind: 'basic' }],
    ['BASIC', { kind: 'basic' }],
    ['Bearer', undefined],
    ['Bearer service="r"', undefined],
    ['Bearer realm=', undefined],
    ['Bearer realm="https://unfinished', undefined],
    ['Negotiate', undefined],
    ['Digest realm="x"', undefined],
    ['', undefined],
    [`Bearer realm="${'x'.repeat(5_000)}"`, undefined],
  ];
  for (const [field, challenge] of CASES) {
    test(field.slice(0, 80), () => assert.deepEqual(readChallenge(field), challenge));
  }

  test('no field is no challenge', () => assert.equal(readChallenge(undefined), undefined));
});

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

test('property: quoted values come back as they were meant', () => {
  const value = fc.string({ unit: fc.constantFrom(...Array.from('ab "\\,=;/:')) });
  fc.assert(
    fc.property(value, value, (realm, service) => {
      const field = `Bearer realm=${quoted(realm)},service=${quoted(service)}`;
      assert.deepEqual(readChallenge(field), { kind: 'bearer', realm, service });
    }),
  );
});

test('property: no text takes long or throws', () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from('a"\\,= \t')), maxLength: 4_096 });
  fc.assert(fc.property(text, (rest) => void readChallenge(`Bearer ${rest}`)));
});
