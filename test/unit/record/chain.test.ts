import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { GENESIS, hashOf, isHash, readSeal, sealLine } from '../../../src/core/record/chain.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const open = '{"decision_id":"é","sallyport":{"reasons":[",\\"hash\\":\\""],';

test('a sealed line is JSON, and says its own hash', () => {
  const { line, hash } = sealLine(open, GENESIS);
  const parsed = JSON.parse(line) as { sallyport: { prev: string; hash: string } };
  assert.deepEqual([parsed.sallyport.prev, parsed.sallyport.hash], [GENESIS, hash]);
  assert.equal(hashOf(line), hash);
  assert.deepEqual(readSeal(bytes(line)), { prev: GENESIS, hash, intact: true });
});

const noSha256sum = spawnSync('sha256sum', ['--version']).error !== undefined;

test('anyone can verify a line with a shell: the documented command', { skip: noSha256sum }, () => {
  const { line, hash } = sealLine(open, GENESIS);
  const script = 'printf %s "${line%,\\"hash\\":*}" | sha256sum';
  const printed = execFileSync('sh', ['-c', script], { env: { ...process.env, line }, encoding: 'utf8' });
  assert.equal(printed.split(' ')[0], hash);
});

test('lines of any length and any text are hashed as the bytes that are written', () => {
  for (const text of [
    '',
    'é'.repeat(40_000),
    'x'.repeat(65_000),
    'x'.repeat(70_000),
    '世'.repeat(65_536),
    'a\ud800b',
  ]) {
    const { line, hash } = sealLine(`{"text":"${text}","sallyport":{`, GENESIS);
    const covered = bytes(line.slice(0, line.lastIndexOf(',"hash":"')));
    assert.equal(hash, createHash('sha256').update(covered).digest('hex'));
  }
});

test('a line with another hash than its own is not intact', () => {
  const { line, hash } = sealLine(open, GENESIS);
  const forged = line.replace(hash, 'f'.repeat(64));
  assert.deepEqual(readSeal(bytes(forged)), { prev: GENESIS, hash: 'f'.repeat(64), intact: false });
  assert.equal(readSeal(bytes(line.replace('é', 'e')))?.intact, false);
});

const unsealed: readonly (readonly [string, (line: string) => string])[] = [
  ['an empty line', () => ''],
  ['a cut line', (line) => line.slice(0, -1)],
  ['a hash in capitals', (line) => line.slice(0, -67) + line.slice(-67, -3).toUpperCase() + line.slice(-3)],
  ['other members at the end', (line) => line.replace('"prev"', '"perv"')],
  ['trailing white space', (line) => `${line} `],
  ['a carriage return', (line) => `${line}\r`],
  ['only a tail that is too short', (line) => line.slice(-100)],
];

for (const [what, change] of unsealed) {
  test(`no seal: ${what}`, () => {
    assert.equal(readSeal(bytes(change(sealLine(open, GENESIS).line))), undefined);
  });
}

test('isHash takes 64 lower-case hexadecimal digits and nothing else', () => {
  assert.equal(isHash(GENESIS), true);
  for (const text of ['', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64), `${'a'.repeat(63)}\n`]) {
    assert.equal(isHash(text), false, JSON.stringify(text));
  }
});
