import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { canonicalQuantity } from '../../../src/core/injection/quantity.ts';

describe('Kubernetes resource.Quantity: the canonical form', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['0.5', '500m'],
    ['2', '2'],
    ['2000', '2k'],
    ['1.5', '1500m'],
    ['0', '0'],
    ['0.000', '0'],
    ['128Mi', '128Mi'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['1024', '1024'],
    ['128000000', '128M'],
    ['1500k', '1500k'],
    ['1.5M', '1500k'],
    ['1Ti', '1Ti'],
  ];
  for (const [written, stored] of cases) {
    test(`${written} is stored as ${stored}`, () => assert.equal(canonicalQuantity(written), stored));
  }

  for (const text of ['', 'x', '1e3', '1Ei', '-1', '1.2345', '0.5m', '12345678901234567890']) {
    test(`${JSON.stringify(text)} is left to the API server`, () => assert.equal(canonicalQuantity(text), text));
  }

  test('the canonical form of a canonical form is itself', () => {
    const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti');
    fc.assert(
      fc.property(fc.nat(), suffix, (number, unit) => {
        const once = canonicalQuantity(`${number}${unit}`);
        assert.equal(canonicalQuantity(once), once);
      }),
    );
  });
});
