import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readRoute } from '../../../src/io/probes/route.ts';

const KINDS = ['liveness', 'readiness', 'startup'] as const;
const name = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);

describe('which paths there are', () => {
  test('our own state', () => {
    assert.deepEqual(readRoute('/startupz'), { kind: 'startup' });
    assert.deepEqual(readRoute('/healthz'), { kind: 'health' });
    assert.deepEqual(readRoute('/readyz'), { kind: 'ready' });
  });

  test('every container and kind is read as it was written', () => {
    fc.assert(
      fc.property(name, fc.constantFrom(...KINDS), (container, kind) => {
        assert.deepEqual(readRoute(`/probe/${container}/${kind}`), { kind: 'target', name: `${container}/${kind}` });
      }),
    );
  });

  test('nothing else is read: what is read says exactly what was asked for', () => {
    const pieces = fc.constantFrom(
      '/',
      '//',
      '/probe',
      '/probe/',
      'app',
      'liveness',
      '%2e',
      '..',
      '?a',
      '#',
      ';',
      '\\',
      'LIVENESS',
      '%2F',
      'readyz',
      'http://h',
      '*',
      '\0',
      '\n',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 6 }).map((list) => list.join('')),
        ),
        (target) => {
          const route = readRoute(target);
          if (route === undefined) return;
          const meant =
            route.kind === 'target'
              ? `/probe/${route.name}`
              : { startup: '/startupz', health: '/healthz', ready: '/readyz' }[route.kind];
          assert.equal(target, meant);
        },
      ),
    );
  });

  const others = [
    '',
    '/',
    '/probe',
    '/probe/',
    '/probe/app',
    '/probe/app/',
    '/probe/app/liveness/',
    '/probe/app/exec',
    '/probe//liveness',
    '/probe/app//liveness',
    '/probe/app/liveness?x=1',
    '/probe/app/liveness#x',
    '/probe/app/liveness%00',
    '/probe/%61pp/liveness',
    '/probe/app%2Fliveness',
    '/probe/../healthz',
    '/./healthz',
    '//healthz',
    '/healthz/',
    '/healthz?',
    '/Healthz',
    'http://h/healthz',
    '*',
    'healthz',
    '/probe/App/liveness',
    '/probe/app/Liveness',
    '/probe/-app/liveness',
    '/probe/app./liveness',
    `/probe/${'a'.repeat(64)}/liveness`,
    '/metrics',
    '/status',
    '/healthz\n',
  ];
  for (const target of others)
    test(`${JSON.stringify(target)} is none`, () => assert.equal(readRoute(target), undefined));
});
