import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { termText } from '../../../../src/core/policy/term-text.ts';
import { call } from '../../../support/builtin-call.ts';
import { goodCalls, mutated } from '../../../support/mutated-arguments.ts';

const MOST_ERROR = 120;

describe('arguments with one to four things wrong give an answer or an error of its own, which ends the expression and not the decision', () => {
  for (const [name, args] of goodCalls()) {
    test(`${name}(${args.map(({ kind }) => kind).join(', ')})`, () => {
      assert.ok(termText(call(name, args)).length > 0, 'the seed is a good call');
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 4 }), (numbers, times) => {
          const pick = (bound: number): number => (numbers.next().value ?? 0) % bound;
          let changed = args;
          for (let count = 0; count < times; count += 1) {
            const at = pick(args.length);
            changed = changed.map((one, index) => (index === at ? mutated(one, pick) : one));
          }
          try {
            termText(call(name, changed));
          } catch (problem) {
            assert.ok(problem instanceof BuiltinError, String(problem));
            assert.ok(problem.message.length <= MOST_ERROR, problem.message);
          }
        }),
        { numRuns: 60 },
      );
    });
  }
});
