import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { checkCallerToken } from '../../../src/core/request/caller-token.ts';
import { http1, http2 } from '../../support/raw-head.ts';

const TOKEN = 'q7-Zk_93:x';

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The fault's detail; undefined where the token is shown. */
function problem(...fields: string[]): string | undefined {
  return checkCallerToken(http1({}, ...fields), TOKEN)?.detail;
}

describe('RFC 9110 11.7.2: the token in Proxy-Authorization', () => {
  const shown: readonly (readonly [string, string])[] = [
    ['Basic, as HTTP_PROXY clients send it', basic('agent', TOKEN)],
    ['Basic with any user', basic('', TOKEN)],
    ['RFC 9110 11.1: the scheme in any case', basic('agent', TOKEN).replace('Basic', 'bASIC')],
    ['Bearer', `Bearer ${TOKEN}`],
    ['more than one space', `bearer   ${TOKEN} `],
  ];
  for (const [title, value] of shown) test(title, () => assert.equal(problem('Proxy-Authorization', value), undefined));

  test('names in any case, HTTP/2 as well', () => {
    assert.equal(problem('PROXY-authorization', `Bearer ${TOKEN}`), undefined);
    assert.equal(checkCallerToken(http2({}, ['proxy-authorization', `Bearer ${TOKEN}`]), TOKEN), undefined);
  });

  const other: readonly (readonly [string, string])[] = [
    ['another token', basic('agent', 'q7-Zk_93:y')],
    ['a part of it', basic('agent', TOKEN.slice(0, -1))],
    ['more than it', basic('agent', `${TOKEN}x`)],
    ['as the user', basic(TOKEN, '')],
    ['no colon', `Basic ${Buffer.from(TOKEN.slice(0, 8)).toString('base64')}`],
    ['nothing', ''],
    ['the scheme alone', 'Basic'],
    ['the token alone', TOKEN],
    ['another scheme', `Digest ${TOKEN}`],
    ['empty credentials', 'Bearer '],
  ];
  for (const [title, value] of other)
    test(`not ${title}`, () => assert.equal(problem('Proxy-Authorization', value), 'the token is another one'));

  test('none, two, or the token in another field', () => {
    assert.equal(problem(), 'no proxy-authorization');
    assert.equal(problem('Authorization', `Bearer ${TOKEN}`), 'no proxy-authorization');
    const twice = ['Proxy-Authorization', `Bearer ${TOKEN}`, 'proxy-authorization', `Bearer ${TOKEN}`];
    assert.equal(problem(...twice), 'more than one proxy-authorization');
  });
});

test('promise 10: no detail holds what was sent', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 4 }), (sent) => {
      const found = problem('Proxy-Authorization', `Bearer ${sent}`);
      assert.ok(found === undefined || found === 'the token is another one');
    }),
  );
});

test('property: a token is accepted only as it is', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (token, said) => {
      const result = checkCallerToken(http1({}, 'Proxy-Authorization', basic('u', said)), token);
      assert.equal(result === undefined, token === said);
    }),
  );
});
