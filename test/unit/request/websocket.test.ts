import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RawHead } from '../../../src/core/model/request.ts';
import { accepted, http1, peerFields, refusal } from '../../support/raw-head.ts';

/** 16 bytes, made here: what they are does not matter. */
const KEY = Buffer.alloc(16, 7).toString('base64');

type Changes = { readonly [name: string]: string | undefined };

/** A sound opening handshake with fields changed, added or (undefined) left out. */
function handshake(changes: Changes = {}, line: Parameters<typeof http1>[0] = {}): RawHead {
  const fields: Changes = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...changes,
  };
  const list = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return { ...http1({ upgrade: true, ...line }), headers: ['Host', 'agent.example.org', ...list] };
}

describe('RFC 6455 4.2.1: a sound handshake', () => {
  test('keeps what the agent must see', () => {
    const request = accepted(handshake({ 'Sec-WebSocket-Protocol': 'mcp, chat', Origin: 'https://a' }));
    assert.equal(request.style, 'websocket');
    assert.deepEqual(request.body, { kind: 'none' });
    assert.deepEqual(peerFields(request), [
      'sec-websocket-key',
      KEY,
      'sec-websocket-version',
      '13',
      'sec-websocket-protocol',
      'mcp, chat',
      'origin',
      'https://a',
      'upgrade',
      'websocket',
    ]);
  });

  const spellings: readonly Changes[] = [
    { Connection: 'upgrade' },
    { Connection: 'keep-alive, Upgrade' },
    { Connection: 'UPGRADE' },
    { Upgrade: 'WebSocket' },
  ];
  for (const change of spellings) {
    test(JSON.stringify(change), () => {
      const request = accepted(handshake(change));
      assert.equal(request.style, 'websocket');
      assert.deepEqual(peerFields(request).slice(-2), ['upgrade', 'websocket']);
    });
  }

  test('is seen from the fields alone, whatever the reader says', () => {
    assert.equal(accepted(handshake({}, { upgrade: false })).style, 'websocket');
  });
});

describe('RFC 6455 4.2.1: every other upgrade is refused', () => {
  const cases: readonly [string, Changes, Parameters<typeof http1>[0]?][] = [
    ['POST', {}, { method: 'POST' }],
    ['HTTP/1.0', {}, { version: '1.0' }],
    ['h2c would carry requests past the gate', { Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }],
    ['h2c named with its settings', { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' }],
    ['TLS', { Upgrade: 'TLS/1.0' }],
    ['two protocols', { Upgrade: 'websocket, h2c' }],
    ['nothing', { Upgrade: '' }],
    ['no Upgrade field', { Upgrade: undefined }],
    ['Connection does not name it', { Connection: 'close' }],
    ['no Connection', { Connection: undefined }],
    ['version 8', { 'Sec-WebSocket-Version': '8' }],
    ['versions in a list', { 'Sec-WebSocket-Version': '13, 8' }],
    ['no version', { 'Sec-WebSocket-Version': undefined }],
    ['no key', { 'Sec-WebSocket-Key': undefined }],
    ['an empty key', { 'Sec-WebSocket-Key': '' }],
    ['a key of 15 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }],
    ['a key of 17 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }],
    ['a key without padding', { 'Sec-WebSocket-Key': KEY.slice(0, 22) }],
    ['a key in base64url', { 'Sec-WebSocket-Key': `-_${KEY.slice(2)}` }],
    ['a key with bits that say nothing', { 'Sec-WebSocket-Key': `${'A'.repeat(21)}B==` }],
    ['a body of known length', { 'Content-Length': '5' }],
    ['an empty body', { 'Content-Length': '0' }],
    ['a chunked body', { 'Transfer-Encoding': 'chunked' }],
  ];
  for (const [why, changes, line] of cases) {
    test(why, () => assert.equal(refusal(handshake(changes, line)), 'upgrade_refused'));
  }

  test('two keys are two readings', () => {
    const head = handshake();
    assert.equal(refusal({ ...head, headers: [...head.headers, 'sec-websocket-key', KEY] }), 'header_duplicate');
  });

  test('an upgrade in the fields is refused even where the reader did not see it', () => {
    assert.equal(refusal(handshake({ Upgrade: 'h2c' }, { upgrade: false })), 'upgrade_refused');
  });
});

describe('RFC 9110 7.8: Upgrade without the connection option is no upgrade', () => {
  test('it is dropped', () => {
    const request = accepted(http1({}, 'Upgrade', 'h2c', 'HTTP2-Settings', 'x'));
    assert.equal(request.style, 'http');
    assert.deepEqual(peerFields(request), []);
  });
  test('and the option without the field is none either', () => {
    assert.equal(accepted(http1({}, 'Connection', 'Upgrade')).style, 'http');
  });
});
