import assert from 'node:assert/strict';
import { test } from 'node:test';

import { configOf, minimalWith, mistakesOf } from './sample.ts';

/** Path, the least and the most that is accepted, and what lies just beyond; `zero` where nothing may mean "no bound". */
type Range = {
  readonly path: string;
  readonly least: unknown;
  readonly most: unknown;
  readonly below: unknown;
  readonly above: unknown;
  readonly zero?: string;
};

const LIMITS = 'inbound/0/limits';
const FOR_EVER = '2147483647ms';
const TOO_LONG = '2147483648ms';

const RANGES: readonly Range[] = [
  { path: `${LIMITS}/connections`, least: 1, most: 1_000_000, below: 0, above: 1_000_001 },
  { path: `${LIMITS}/handshakeTimeout`, least: '100ms', most: '1d', below: '99ms', above: '25h' },
  { path: `${LIMITS}/headTimeout`, least: '100ms', most: '1d', below: '0s', above: '25h' },
  { path: `${LIMITS}/idleTimeout`, least: '100ms', most: FOR_EVER, below: '0s', above: TOO_LONG },
  { path: `${LIMITS}/streamIdleTimeout`, least: '100ms', most: FOR_EVER, below: '99ms', above: TOO_LONG, zero: '0s' },
  { path: `${LIMITS}/requestTimeout`, least: '100ms', most: FOR_EVER, below: '99ms', above: TOO_LONG, zero: '0s' },
  { path: `${LIMITS}/upstreamTimeout`, least: '100ms', most: FOR_EVER, below: '99ms', above: TOO_LONG, zero: '0s' },
  { path: `${LIMITS}/upstreamConnectTimeout`, least: '10ms', most: '24h', below: '9ms', above: '25h' },
  { path: `${LIMITS}/headerBytes`, least: '1KiB', most: '1MiB', below: '1023B', above: '1025KiB' },
  { path: `${LIMITS}/headerCount`, least: 8, most: 1_000, below: 7, above: 1_001 },
  { path: `${LIMITS}/targetBytes`, least: '64B', most: '64KiB', below: '63B', above: '65KiB' },
  { path: `${LIMITS}/bodyBytes`, least: '1B', most: '8192GiB', below: '-1B', above: '8193GiB', zero: '0B' },
  { path: `${LIMITS}/inspectedBodyBytes`, least: '1B', most: '64MiB', below: '0B', above: '65MiB' },
  { path: `${LIMITS}/openPerPeer`, least: 1, most: 1_000_000, below: 0, above: 1_000_001 },
  { path: `${LIMITS}/concurrentStreams`, least: 1, most: 65_536, below: 0, above: 65_537 },
  { path: `${LIMITS}/streamWindowBytes`, least: '65535B', most: '1GiB', below: '65534B', above: '1025MiB' },
  { path: `${LIMITS}/connectionWindowBytes`, least: '65535B', most: '1GiB', below: '65534B', above: '2GiB' },
  { path: `${LIMITS}/bufferBytes`, least: '1KiB', most: '16MiB', below: '1023B', above: '17MiB' },
  { path: 'policy/budget', least: 100_000, most: 2_000_000_000, below: 99_999, above: 2_000_000_001 },
  { path: 'policy/memory', least: '4MiB', most: '1GiB', below: '3MiB', above: '1025MiB' },
  { path: 'journalQueue/records', least: 16, most: 1_000_000, below: 15, above: 1_000_001 },
  { path: 'journalQueue/bytes', least: '64KiB', most: '1GiB', below: '63KiB', above: '2GiB' },
  { path: 'journalQueue/wait', least: '0s', most: '60s', below: -1, above: '61s' },
  { path: 'shutdown/grace', least: '0s', most: '1h', below: -1, above: '61m' },
];

for (const { path, least, most, below, above, zero } of RANGES) {
  const shown = path.replace('inbound/0/', 'inbound[0].').replaceAll('/', '.');
  test(`${shown}: from ${String(least)} to ${String(most)}${zero === undefined ? '' : `, or ${zero}`}`, () => {
    for (const value of zero === undefined ? [least, most] : [least, most, zero]) {
      assert.ok(configOf(minimalWith({ [path]: value })), String(value));
    }
    for (const value of [below, above, null, '', [], {}]) {
      const [mistake, ...others] = mistakesOf(minimalWith({ [path]: value }));
      assert.deepEqual([mistake?.path, others], [shown, []], String(value));
      assert.match(mistake?.expected ?? '', /from .+ to /);
    }
  });
}

test('ports: 0 to listen, 1 to call, 65535 for both', () => {
  assert.ok(
    configOf(minimalWith({ 'inbound/0/listen': '127.0.0.1:65535', 'inbound/0/upstream': 'http://127.0.0.1:65535' })),
  );
  assert.ok(configOf(minimalWith({ 'inbound/0/listen': '127.0.0.1:0', 'inbound/0/upstream': 'http://127.0.0.1:1' })));
  assert.equal(mistakesOf(minimalWith({ 'inbound/0/listen': '127.0.0.1:65536' })).length, 1);
  assert.equal(mistakesOf(minimalWith({ 'inbound/0/upstream': 'http://127.0.0.1:0' })).length, 1);
});

function bundles(name: string): string {
  return minimalWith({ 'identity/trustBundles': { [name]: 'x' } });
}

test('SPIFFE-ID 2.1: trust domains of 1 and 255 characters are keys, of 256 or none are not', () => {
  for (const name of ['a', 'a'.repeat(255), 'a-b_c.d9']) assert.ok(configOf(bundles(name)));
  for (const name of ['', 'a'.repeat(256), 'A', 'a/b', 'ä', 'a b', 'a:1', 'a%41'])
    assert.equal(mistakesOf(bundles(name)).length, 1, name);
});

test('paths of 4096 characters are read, longer ones are not', () => {
  assert.ok(configOf(minimalWith({ 'identity/privateKey': 'k'.repeat(4_096) })));
  assert.equal(mistakesOf(minimalWith({ 'identity/privateKey': 'k'.repeat(4_097) })).length, 1);
});
