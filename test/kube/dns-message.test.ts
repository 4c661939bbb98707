import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readQuestion, writeAnswer } from './dns-message.ts';

/** A query as resolvers send it: `type` 1 is A, 28 AAAA; with `extra` an additional record follows. */
function query(name: string, type = 1, extra = Buffer.alloc(0)): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const head = Buffer.from([0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, extra.length > 0 ? 1 : 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, type, 0, 1]), extra]);
}

function answerTo(asked: Buffer, answer: readonly string[] | undefined): Buffer {
  return writeAnswer(asked, readQuestion(asked) ?? assert.fail('no question'), answer);
}

describe('RFC 1035 4.1: messages', () => {
  test('the question is read, whatever the case of its letters', () => {
    const asked = query('Web.Agents.svc', 28);
    assert.deepEqual(readQuestion(asked), { name: 'web.agents.svc', type: 28, end: asked.length });
  });

  test('an answer has the query’s number and question, and its addresses', () => {
    const asked = query('web');
    const answer = answerTo(asked, ['10.96.0.7', '10.96.0.8']);
    assert.equal(answer.readUInt16BE(0), 0x1234);
    assert.equal(answer[2], 0x85);
    assert.equal(answer[3], 0x80);
    assert.deepEqual(
      [4, 6, 8, 10].map((at) => answer.readUInt16BE(at)),
      [1, 2, 0, 0],
    );
    assert.ok(answer.subarray(12, asked.length).equals(asked.subarray(12)));
    assert.equal(
      answer.subarray(asked.length).toString('hex'),
      ['0a600007', '0a600008'].map((address) => `c00c00010001000000010004${address}`).join(''),
    );
  });

  test('a name that is not there is a name error; one that is has no address of version 6', () => {
    assert.equal(answerTo(query('nobody'), undefined)[3], 0x83);
    const six = answerTo(query('web', 28), ['10.96.0.7']);
    assert.deepEqual([six[3], six.readUInt16BE(6)], [0x80, 0]);
  });

  test('what follows the question (RFC 6891) is left out of the answer', () => {
    const extra = Buffer.from('0000291000000000000000', 'hex');
    const answer = answerTo(query('web', 1, extra), []);
    assert.deepEqual([answer.length, answer.readUInt16BE(10)], [query('web').length, 0]);
  });

  test('anything else is no question, and nothing breaks', () => {
    const whole = query('web.agents');
    for (let end = 0; end < whole.length; end += 1)
      assert.equal(readQuestion(whole.subarray(0, end)), undefined, `${end}`);
    const pointer = Buffer.from(whole);
    pointer[12] = 0xc0;
    assert.equal(readQuestion(pointer), undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readQuestion(Buffer.from(bytes))));
  });
});
