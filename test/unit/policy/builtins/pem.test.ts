import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { allPem, readPem } from '../../../../src/core/policy/builtins/pem.ts';
import { pem } from '../../../support/der.ts';
import { within } from '../../../support/within.ts';

const BLOCK = pem('A KEY', Buffer.from([1, 2, 3]));

function typesOf(text: string): string[] {
  return Array.from(allPem(text), ({ type }) => type);
}

describe('Go encoding/pem, Decode: what is a block', () => {
  const accepted: readonly (readonly [string, string])[] = [
    ['as it is written', BLOCK],
    ['with the line ends of Windows', BLOCK.replaceAll('\n', '\r\n')],
    ['with spaces and tabs at the ends of lines', BLOCK.replaceAll('\n', ' \t\n')],
    ['with spaces among the digits', BLOCK.replace('AQID', 'A Q\tI D')],
    ['with digits on two lines', BLOCK.replace('AQID', 'AQ\nID')],
    ['behind other text', `text\n-----text\n${BLOCK}`],
    ['behind a beginning without an end', `-----BEGIN B-----\nAAAA\n${BLOCK}`],
    ['behind an end without a beginning', `x\n-----END B-----\n${BLOCK}`],
    ['behind a damaged block', pem('B', Buffer.from([1])).replace('AQ==', 'A!==') + BLOCK],
    ['with headers and an empty line', BLOCK.replace('AQID', 'Name: value\nOther:\n\nAQID')],
    ['without a line end at the end', BLOCK.trimEnd()],
  ];
  for (const [title, text] of accepted) {
    test(`a block ${title}`, () => {
      const found = readPem(text);
      assert.equal(found?.type, 'A KEY');
      assert.deepEqual(found?.bytes, Uint8Array.of(1, 2, 3));
      assert.equal(found?.rest, '');
    });
  }

  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a beginning alone', '-----BEGIN A KEY-----\nAQID\n'],
    ['an end alone', '\n-----END A KEY-----\n'],
    ['a beginning within a line', `x${BLOCK}`],
    ['another type at the end', BLOCK.replace('END A KEY', 'END B KEY')],
    ['a type with more at the end', BLOCK.replace('END A KEY', 'END A KEYS')],
    ['dashes missing at the beginning', BLOCK.replace('BEGIN A KEY-----', 'BEGIN A KEY----')],
    ['dashes missing at the end', BLOCK.replace('END A KEY-----', 'END A KEY----')],
    ['text behind the end', BLOCK.replace('END A KEY-----', 'END A KEY-----x')],
    ['what is no base64', BLOCK.replace('AQID', 'AQ_D')],
    ['base64 without its padding', BLOCK.replace('AQID', 'AQI')],
    ['an end that is on the line of the digits', BLOCK.replace('AQID\n', 'AQID')],
    ['headers without an empty line before the end', '-----BEGIN A KEY-----\nName: value\n-----END A KEY-----\n'],
    ['headers that run over the end', '-----BEGIN A:KEY-----\n-----END A:KEY-----\n'],
  ];
  for (const [title, text] of refused) test(`no block: ${title}`, () => assert.equal(readPem(text), undefined));

  test('a block without digits is empty', () => {
    assert.deepEqual(readPem('-----BEGIN A-----\n-----END A-----\n')?.bytes, new Uint8Array());
    assert.deepEqual(readPem('-----BEGIN A-----\n\n-----END A-----\n')?.bytes, new Uint8Array());
  });

  test('headers that run over an end are the end of the search, as in Go', () => {
    assert.equal(readPem(`-----BEGIN :-----\n-----END :\n${BLOCK}`), undefined);
  });

  test('every block in order, and what is behind the first', () => {
    const text = `${pem('A', Buffer.from([1]))}between\n${pem('B', Buffer.from([2]))}behind`;
    assert.deepEqual(typesOf(text), ['A', 'B']);
    assert.equal(readPem(text)?.rest.startsWith('between\n'), true);
  });
});

describe('PEM of an attacker takes time by its length, not by the square of it', () => {
  const SIZE = 400_000;
  const cases: readonly (readonly [string, string])[] = [
    ['spaces before a character', `-----BEGIN X-----\na${' '.repeat(SIZE)}b\n-----END X-----\n`],
    ['ends without beginnings', '\n-----END '.repeat(SIZE / 10)],
    ['beginnings without ends', '-----BEGIN \n'.repeat(SIZE / 12)],
    ['headers that run over ends', '-----BEGIN :-----\n-----END :\n'.repeat(SIZE / 29)],
    ['a beginning before many ends', `-----BEGIN X-----\n${'\n-----END '.repeat(SIZE / 10)}`],
    ['a long type', `-----BEGIN ${'X'.repeat(SIZE)}-----\n-----END X-----\n`],
  ];
  for (const [title, text] of cases) {
    // By the square of their lengths these take from ten seconds to minutes: the limit is the proof.
    test(title, () => within(5_000, () => assert.deepEqual(typesOf(text), [])));
  }
});

test('whatever bytes are written as PEM are read from it, around any text without ends', () => {
  const noise = fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '-', '=') });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), noise, noise, (bytes, before, after) => {
      const found = readPem(`${before}\n${pem('T', bytes)}${after}`);
      assert.equal(found?.type, 'T');
      assert.equal(Buffer.from(found?.bytes ?? []).toString('hex'), Buffer.from(bytes).toString('hex'));
    }),
  );
});

test('any text is blocks or none, never an error', () => {
  const unit = fc.constantFrom('-----BEGIN ', '-----END ', '-----', '\n', 'A', ':', ' ', '\r\n', 'AAAA', '=');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), (text) =>
      assert.ok(typesOf(text).every((type) => type.length < 200)),
    ),
    { numRuns: 2000 },
  );
});
