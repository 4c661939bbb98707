import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Credit } from '../../../src/io/workers/credit.ts';

test('credit that was granted can be taken, no more', () => {
  const credit = new Credit(4);
  assert.equal(credit.take(), false);
  credit.granted(2);
  assert.deepEqual([credit.take(), credit.take(), credit.take()], [true, true, false]);
  assert.deepEqual([credit.inHand, credit.taken], [0, 2]);
});

test('credit is asked for while less than half a chunk is in hand, once until the answer', () => {
  const credit = new Credit(4);
  assert.deepEqual(credit.due(), { ask: 4, giveBack: 0 });
  assert.deepEqual(credit.due(), { ask: 0, giveBack: 0 }, 'asked already');
  credit.granted(0);
  assert.deepEqual(credit.due(), { ask: 4, giveBack: 0 }, 'there was none: asked again');
  credit.granted(4);
  credit.take();
  credit.take();
  assert.equal(credit.isShort, false);
  credit.take();
  assert.deepEqual(credit.due(), { ask: 3, giveBack: 0 });
});

test('what lies idle beyond two chunks is given back down to one', () => {
  const credit = new Credit(4);
  credit.granted(9);
  assert.deepEqual(credit.due(), { ask: 0, giveBack: 5 });
  assert.equal(credit.inHand, 4);
});

test('credit goes first to those who wait, in the order of coming', () => {
  const credit = new Credit(4);
  const heard: string[] = [];
  for (const name of ['a', 'b', 'c']) credit.wait((reserved) => heard.push(`${name} ${reserved}`));
  credit.granted(1);
  assert.equal(credit.take(), false, 'others came before');
  credit.served();
  credit.denied();
  assert.deepEqual(heard, ['a true', 'b true']);
  credit.denied();
  assert.deepEqual(heard, ['a true', 'b true', 'c false']);
});

test('a refusal for somebody who was served meanwhile turns nobody away', () => {
  const credit = new Credit(4);
  const heard: string[] = [];
  credit.granted(1);
  credit.take();
  credit.wait((reserved) => heard.push(`a ${reserved}`));
  credit.putBack();
  credit.wait((reserved) => heard.push(`b ${reserved}`));
  credit.denied();
  assert.deepEqual(heard, ['a true'], 'b has its own want');
  credit.denied();
  assert.deepEqual(heard, ['a true', 'b false']);
});

type Step = 'take' | 'wait' | 'line' | 'putBack' | 'due' | 'grant' | 'serve' | 'deny';

const steps = fc.array(fc.constantFrom<Step>('take', 'wait', 'line', 'putBack', 'due', 'grant', 'serve', 'deny'), {
  maxLength: 200,
});

test('property: never more is taken than was granted, and everybody who waits is answered once', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), fc.nat({ max: 8 }), (order, chunk, room) => {
      const credit = new Credit(chunk);
      let outside = 0;
      let asked = 0;
      let wants = 0;
      let answers = 0;
      let waited = 0;
      const act: Record<Step, () => void> = {
        take: () => void credit.take(),
        wait: () => {
          if (credit.take()) return;
          waited += 1;
          wants += 1;
          credit.wait(() => (answers += 1));
        },
        line: () => {
          if (credit.taken === 0) return;
          credit.left(1);
          outside -= 1;
        },
        putBack: () => void (credit.taken > 0 && credit.putBack()),
        due: () => {
          const { ask, giveBack } = credit.due();
          asked += ask;
          outside -= giveBack;
          assert.ok(ask === 0 || giveBack === 0);
        },
        grant: () => {
          if (asked === 0) return;
          const granted = Math.min(asked, room);
          asked = 0;
          outside += granted;
          credit.granted(granted);
        },
        serve: () => {
          if (wants === 0) return;
          wants -= 1;
          outside += 1;
          credit.served();
        },
        deny: () => {
          if (wants === 0) return;
          wants -= 1;
          credit.denied();
        },
      };
      for (const step of order) {
        act[step]();
        assert.equal(credit.inHand + credit.taken, outside, 'what it has is what it was given');
        assert.ok(credit.inHand >= 0 && credit.taken >= 0);
        assert.equal(answers + credit.waiting, waited, 'answered once');
        assert.ok(credit.waiting <= wants, 'nobody waits whom nobody was told of');
        assert.ok(credit.waiting === 0 || credit.inHand === 0, 'nobody waits beside credit');
      }
    }),
  );
});
