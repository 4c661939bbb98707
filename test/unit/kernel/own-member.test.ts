import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import { ownMember, putMember } from '../../../src/core/kernel/own-member.ts';

const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__', '0', ''),
  fc.string({ unit: 'binary', maxLength: 4 }),
);

test('property: an object of members says what a map says, whatever the names are', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat())), fc.array(name), (puts, asked) => {
      const object: Record<string, number> = {};
      const map = new Map<string, number>();
      for (const [key, value] of puts) {
        assert.equal(ownMember(object, key), map.get(key));
        putMember(object, key, value);
        map.set(key, value);
      }
      for (const key of asked) assert.equal(ownMember(object, key), map.get(key));
      assert.equal(Object.keys(object).length, map.size);
      assert.deepEqual(new Map(Object.entries(object)), map);
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
    }),
  );
});
