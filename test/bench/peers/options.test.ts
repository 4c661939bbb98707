import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { DEFAULT_OUT, USAGE, readOptions } from './options.ts';

const CHOICES = { workloads: ['h1-get', 'grpc-unary'], targets: ['sallyport', 'envoy'] };

describe('the options of bench:peers', () => {
  test('without arguments: everything, three rounds of three seconds, written into the documentation', () => {
    assert.deepEqual(readOptions([], CHOICES), {
      workloads: undefined,
      targets: undefined,
      rounds: 3,
      seconds: 3,
      out: DEFAULT_OUT,
      list: false,
    });
  });

  test('--quick: one round of one second, and nothing is written', () => {
    const options = readOptions(['--quick'], CHOICES);
    assert.ok(typeof options === 'object');
    assert.deepEqual([options.rounds, options.seconds, options.out], [1, 1, undefined]);
  });

  test('--quick gives way to what is said beside it', () => {
    const options = readOptions(['--quick', '--rounds', '2', '--seconds', '5', '--out', 'here'], CHOICES);
    assert.ok(typeof options === 'object');
    assert.deepEqual([options.rounds, options.seconds, options.out], [2, 5, 'here']);
  });

  test('--workloads and --targets take lists', () => {
    const options = readOptions(['--workloads', 'grpc-unary,h1-get', '--targets', 'envoy'], CHOICES);
    assert.ok(typeof options === 'object');
    assert.deepEqual([options.workloads, options.targets], [['grpc-unary', 'h1-get'], ['envoy']]);
  });

  test('--list', () => {
    assert.equal((readOptions(['--list'], CHOICES) as { list: boolean }).list, true);
  });

  for (const [args, complaint] of [
    [['--workloads', 'h1-get,h3'], '--workloads: h3 is unknown; there are h1-get, grpc-unary'],
    [['--targets', 'traefik'], '--targets: traefik is unknown; there are sallyport, envoy'],
    [['--targets', ','], '--targets names nothing; there are sallyport, envoy'],
    [['--rounds', '0'], '--rounds is "0"; it takes a whole number from 1 to 99'],
    [['--rounds', '100'], '--rounds is "100"; it takes a whole number from 1 to 99'],
    [['--rounds', '1e1'], '--rounds is "1e1"; it takes a whole number from 1 to 99'],
    [['--seconds', '2.5'], '--seconds is "2.5"; it takes a whole number from 1 to 600'],
    [['--seconds', ''], '--seconds is ""; it takes a whole number from 1 to 600'],
  ] as const) {
    test(`refused: ${args.join(' ')}`, () => {
      assert.equal(readOptions(args, CHOICES), complaint);
    });
  }

  test('an option that does not exist is named', () => {
    assert.match(JSON.stringify(readOptions(['--round', '3'], CHOICES)), /--round/);
    assert.match(JSON.stringify(readOptions(['h1-get'], CHOICES)), /h1-get/);
  });

  test('the usage names every option', () => {
    for (const name of ['workloads', 'targets', 'rounds', 'seconds', 'quick', 'out', 'list']) {
      assert.match(USAGE, new RegExp(`\n  --${name}\\b`), name);
    }
  });
});
