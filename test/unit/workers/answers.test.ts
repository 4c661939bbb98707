import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Answers } from '../../../src/io/workers/answers.ts';

test('a question is over when all have answered', async () => {
  const answers = new Answers<string>();
  const asked: string[] = [];
  const first = answers.ask([0, 1], (thread, question) => asked.push(`${thread}:${question}`));
  const second = answers.ask([1], (thread, question) => asked.push(`${thread}:${question}`));
  assert.deepEqual(asked, ['0:0', '1:0', '1:1']);
  answers.answered(1, 1, 'later');
  answers.answered(1, 0, 'b');
  answers.answered(0, 0, 'a');
  assert.deepEqual([await second, await first], [['later'], ['b', 'a']]);
});

test('one that ends is not waited for', async () => {
  const answers = new Answers<string>();
  const asked = answers.ask([0, 1], () => undefined);
  answers.answered(0, 0, 'a');
  answers.gone(1);
  assert.deepEqual(await asked, ['a']);
});

test('one that ends while it is asked, too', async () => {
  const answers = new Answers<string>();
  assert.deepEqual(await answers.ask([0], (thread) => answers.gone(thread)), []);
});

test('nobody to ask is an answer at once', async () => {
  assert.deepEqual(await new Answers<string>().ask([], () => assert.fail()), []);
});

test('an answer counts once, and only from whom it was asked', async () => {
  const answers = new Answers<string>();
  const asked = answers.ask([0, 1], () => undefined);
  answers.answered(0, 0, 'a');
  answers.answered(0, 0, 'again');
  answers.answered(2, 0, 'stranger');
  answers.answered(0, 9, 'unasked');
  answers.answered(1, 0, 'b');
  assert.deepEqual(await asked, ['a', 'b']);
});
