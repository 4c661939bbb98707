import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { NO_RESULT, OPCODE } from '../../../src/core/policy/instruction.ts';
import { exitsAreUnseen } from '../../../src/core/policy/rule-index-proof.ts';

const { block, loop, else: otherwise, end, br, brIf, localGet, localSet, localTee, i32Const } = OPCODE;

/** Instructions as `[opcode, operand]`; `'exit'` marks where the block may be left without setting local 1. */
type Line = readonly [number, number?] | 'exit';

function unseen(...lines: readonly Line[]): boolean {
  const exits: { at: number; locals: number[] }[] = [];
  const code = lines.flatMap((line) => (line === 'exit' ? [] : [line]));
  lines.forEach((line, index) => {
    if (line === 'exit') exits.push({ at: index - exits.length, locals: [1] });
  });
  return exitsAreUnseen(
    code.map(([opcode, operand = 0]) => ({ opcode, operand, at: 0 })),
    exits,
  );
}

const OPEN = [block, NO_RESULT] as const;

test('a local that is not set because a block was left may not be read behind it', () => {
  assert.equal(unseen(OPEN, 'exit', [localTee, 1], [end], [localGet, 1], [end]), false);
  assert.equal(unseen(OPEN, 'exit', [localTee, 1], [end], [localGet, 2], [end]), true);
});

test('it may be read inside, where the block was not left', () =>
  assert.equal(unseen(OPEN, 'exit', [localTee, 1], [localGet, 1], [end], [end]), true));

test('it may be read once it is set anew, on every way', () => {
  const left = [OPEN, 'exit', [localTee, 1], [end]] as const;
  assert.equal(unseen(...left, [i32Const], [localSet, 1], [localGet, 1], [end]), true);
  assert.equal(unseen(...left, OPEN, [brIf, 0], [localSet, 1], [end], [localGet, 1], [end]), false);
  assert.equal(unseen(...left, OPEN, [localSet, 1], [brIf, 0], [end], [localGet, 1], [end]), true);
  assert.equal(unseen(...left, OPEN, [br, 0], [localSet, 1], [end], [localGet, 1], [end]), false);
});

test('both branches of an `if` count, and one without `else` may not be taken', () => {
  const left = [OPEN, 'exit', [localTee, 1], [end], [OPCODE.if, NO_RESULT], [localSet, 1]] as const;
  assert.equal(unseen(...left, [end], [localGet, 1], [end]), false);
  assert.equal(unseen(...left, [otherwise], [end], [localGet, 1], [end]), false);
  assert.equal(unseen(...left, [otherwise], [localSet, 1], [end], [localGet, 1], [end]), true);
  assert.equal(unseen(...left, [otherwise], [localGet, 1], [end], [end]), false);
});

test('what no way leads to does not count', () => {
  const left = [OPEN, 'exit', [localTee, 1], [end]] as const;
  assert.equal(unseen(...left, [OPCODE.return], [localGet, 1], [end]), true);
  assert.equal(unseen(...left, OPEN, [OPCODE.unreachable], [localGet, 1], [end], [end]), true);
});

test('leaving two blocks at once is followed to where it leads', () => {
  assert.equal(unseen(OPEN, OPEN, 'exit', [localTee, 1], [end], [br, 0], [end], [localGet, 1], [end]), false);
  const outer = [OPEN, OPEN, OPEN, 'exit', [localTee, 1], [end], [brIf, 1], [localSet, 1], [end]] as const;
  assert.equal(unseen(...outer, [localGet, 1], [end], [end]), true);
  assert.equal(unseen(...outer, [end], [localGet, 1], [end]), false);
});

test('loops are walked once, since exits do not lie in them; a table of branches is not understood', () => {
  const left = [OPEN, 'exit', [localTee, 1], [end], [loop, NO_RESULT]] as const;
  assert.equal(unseen(...left, [localGet, 1], [brIf, 0], [end], [end]), false);
  assert.equal(unseen(...left, [localSet, 1], [localGet, 1], [brIf, 0], [end], [localGet, 1], [end]), true);
  assert.equal(unseen(...left, [OPCODE.brTable], [end], [end]), false);
});

/** One pass through straight code with blocks, as a machine would do it: what each read saw, where taken branches are given by `dice`. */
function reads(lines: readonly Line[], dice: readonly boolean[], leave: boolean): readonly number[] {
  const locals = new Map<number, number>();
  const seen: number[] = [];
  let thrown = 0;
  let skip = 0;
  lines.forEach((line, at) => {
    const [opcode, operand = 0] = line === 'exit' ? [brIf] : line;
    if (skip > 0) {
      if (opcode === block) skip += 1;
      if (opcode === end) skip -= 1;
      return;
    }
    if (line === 'exit') skip = leave ? 1 : 0;
    else if (opcode === localGet) seen.push(locals.get(operand) ?? -1);
    else if (opcode === localSet) locals.set(operand, at);
    else if (opcode === brIf && dice[(thrown += 1) % dice.length] === true) skip = operand + 1;
  });
  return seen;
}

const inner: fc.Arbitrary<readonly Line[]> = fc.letrec<{ block: readonly Line[]; lines: readonly Line[] }>((tie) => ({
  lines: fc
    .array(
      fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom(1, 2).map((local): readonly Line[] => [[localSet, local]]),
        fc.constantFrom(1, 2).map((local): readonly Line[] => [[localGet, local]]),
        fc.constant<readonly Line[]>([[brIf, 0]]),
        tie('block'),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.flat()),
  block: tie('lines').map((lines): readonly Line[] => [OPEN, ...lines, [end]]),
})).lines;

test('where it says unseen, no way through the code reads anything else', () => {
  let proven = 0;
  fc.assert(
    fc.property(inner, inner, fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), (before, after, dice) => {
      // The block that may be left sets local 1 and then finds that its test fails, as the original does.
      const wrap = (first: readonly Line[], second: readonly Line[]): readonly Line[] =>
        [OPEN, ...before, OPEN, ...first, [localSet, 1], ...second, [end], ...after, [end]] as const;
      const code = wrap(['exit'], ['exit']);
      if (!unseen(...wrap(['exit'], []), [end])) return;
      proven += 1;
      const original = code.filter((line, at) => line !== 'exit' || at > code.indexOf('exit'));
      const shortcut = code.filter((line, at) => line !== 'exit' || at === code.indexOf('exit'));
      assert.deepEqual(reads(shortcut, dice, true), reads(original, dice, true));
    }),
    { numRuns: 2000 },
  );
  assert.ok(proven > 100, `${proven} proven`);
});
