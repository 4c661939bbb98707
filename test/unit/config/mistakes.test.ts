import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatMistake, formatPath } from '../../../src/core/config/mistake.ts';
import { listener, minimalWith, mistakesOf } from './sample.ts';

/** path to [what is written there, part of what is expected, what is said to be found]. */
const WRONG: readonly (readonly [path: string, value: unknown, said: string, expected: RegExp, found: string])[] = [
  ['inbound', [], 'inbound', /at least 1/, 'an empty list'],
  ['inbound', {}, 'inbound', /a list of listeners/, 'a map'],
  ['inbound/0', 3, 'inbound[0]', /a map of settings/, '3'],
  ['inbound/0/listen', ':8443', 'inbound[0].listen', /an IP address and a port/, '":8443"'],
  ['inbound/0/listen', 8443, 'inbound[0].listen', /an IP address and a port/, '8443'],
  ['inbound/0/listen', undefined, 'inbound[0].listen', /an IP address and a port/, 'nothing'],
  ['inbound/0/upstream', 'https://127.0.0.1:1', 'inbound[0].upstream', /h2c:\/\/HOST:PORT/, '"https://127.0.0.1:1"'],
  ['inbound/0/tls', { minVersion: '1.1' }, 'inbound[0].tls.minVersion', /"1\.3" or "1\.2"/, '"1.1"'],
  ['inbound/0/paths', { doubleSlashes: 'yes' }, 'inbound[0].paths.doubleSlashes', /^true or false$/, '"yes"'],
  ['inbound/0/limits', { headTimeout: 30 }, 'inbound[0].limits.headTimeout', /a duration such as/, '30'],
  ['inbound/0/limits', { headTimeout: '0s' }, 'inbound[0].limits.headTimeout', /from 100ms to 1d/, '"0s"'],
  ['inbound/0/limits', { headTimeout: '25d' }, 'inbound[0].limits.headTimeout', /a duration/, '"25d"'],
  ['inbound/0/limits', { headerBytes: 61_440 }, 'inbound[0].limits.headerBytes', /a size such as/, '61440'],
  ['inbound/0/limits', { connections: 0 }, 'inbound[0].limits.connections', /a whole number from 1 to 1000000/, '0'],
  ['inbound/0/limits', { connections: 1.5 }, 'inbound[0].limits.connections', /a whole number/, '1.5'],
  ['inbound/0/limits', { connections: '1e3' }, 'inbound[0].limits.connections', /a whole number/, '"1e3"'],
  ['inbound/0/limits', { connections: '9999999' }, 'inbound[0].limits.connections', /a whole number/, '"9999999"'],
  ['inbound/0/contextExtensions', { a: 1 }, 'inbound[0].contextExtensions.a', /text/, '1'],
  ['policy', undefined, 'policy', /a map of settings/, 'nothing'],
  ['policy/bundle', '', 'policy.bundle', /the path of a folder/, '""'],
  ['policy/bundle', 's3://bucket/x', 'policy.bundle', /the path of a folder/, '"s3://bucket/x"'],
  ['policy/decision', 'data.sallyport.authz', 'policy.decision', /an entrypoint/, '"data.sallyport.authz"'],
  ['policy/decision', '/sallyport/authz', 'policy.decision', /an entrypoint/, '"/sallyport/authz"'],
  ['policy/mode', 'Shadow', 'policy.mode', /enforce or shadow/, '"Shadow"'],
  ['policy/memory', '1GB', 'policy.memory', /a size/, '"1GB"'],
  ['identity/certificate', undefined, 'identity.certificate', /certificate chain/, 'nothing'],
  ['identity/privateKey', 'a\0b', 'identity.privateKey', /private key/, '"a\\u0000b"'],
  ['identity/trustBundles', {}, 'identity.trustBundles', /at least one/, 'a map'],
  [
    'identity/trustBundles',
    { 'Example.org': 'x' },
    'identity.trustBundles["Example.org"]',
    /a trust domain \(lower case\) as key/,
    '"Example.org"',
  ],
  ['identity/source', 'vault', 'identity.source', /files or authority/, '"vault"'],
  ['journal', [], 'journal', /at least 1/, 'an empty list'],
  ['journal', ['syslog'], 'journal[0]', /stdout, file:PATH/, '"syslog"'],
  ['journal', ['file:'], 'journal[0]', /stdout, file:PATH/, '"file:"'],
  ['journal', ['https://u:p@h/'], 'journal[0]', /stdout, file:PATH/, '"https://…@h/"'],
  ['log', { level: 'verbose' }, 'log.level', /debug or info/, '"verbose"'],
  ['shutdown', { grace: '2h' }, 'shutdown.grace', /a duration/, '"2h"'],
];
for (const [path, value, said, expected, found] of WRONG) {
  test(`${path} = ${JSON.stringify(value)} is a mistake at ${said}`, () => {
    const [mistake, ...others] = mistakesOf(minimalWith({ [path]: value }));
    assert.deepEqual(others, []);
    assert.equal(mistake?.path, said);
    assert.match(mistake.expected, expected);
    assert.equal(mistake.found, found);
  });
}

/** Unsafe without saying so. */
const REFUSED: readonly (readonly [path: string, value: unknown, said: string, hint: RegExp])[] = [
  ['policy/bundle', 'http://bundles.example.org/x', 'policy.bundle', /whoever is on the way chooses the policy/],
  ['journal', ['stdout', 'http://logs.example.org/logs'], 'journal[1]', /whoever is on the way reads/],
  ['outbound', [{ listen: '0.0.0.0:1', destinations: {} }], 'outbound[0].listen', /in the name of this agent/],
  ['inbound/0/upstream', 'http://10.0.0.1:80', 'inbound[0].upstream', /unsafeUpstreamBeyondLoopback: true/],
  ['inbound/0/upstream', 'tcp://db.internal:80', 'inbound[0].upstream', /unsafeUpstreamBeyondLoopback: true/],
  ['admin', { listen: '0.0.0.0:9901' }, 'admin.listen', /unsafeBeyondLoopback: true/],
];
for (const [path, value, said, hint] of REFUSED) {
  test(`${path} = ${JSON.stringify(value)} is refused with a hint`, () => {
    const [mistake, ...others] = mistakesOf(minimalWith({ [path]: value }));
    assert.deepEqual(others, []);
    assert.equal(mistake?.path, said);
    assert.match(mistake.hint ?? '', hint);
  });
}

function clash(first: string, second: string): readonly string[] {
  return mistakesOf(minimalWith({ inbound: [listener(first), listener(second)] })).map((mistake) => mistake.path);
}

test('a listener on the port of another is a mistake, wildcards included', () => {
  assert.deepEqual(clash('127.0.0.1:5', '127.0.0.1:5'), ['inbound[1].listen']);
  assert.deepEqual(clash('0.0.0.0:5', '127.0.0.1:5'), ['inbound[1].listen']);
  assert.deepEqual(clash('127.0.0.1:5', '[::]:5'), ['inbound[1].listen']);
  assert.deepEqual(clash('0.0.0.0:5', '[::1]:5'), []);
  const admin = mistakesOf(minimalWith({ 'inbound/0/listen': '127.0.0.1:5', admin: { listen: '127.0.0.1:5' } }));
  assert.deepEqual(
    admin.map((mistake) => mistake.path),
    ['admin.listen'],
  );
});

test('unknown keys are mistakes, at every level, with what was meant', () => {
  const text = minimalWith({
    polcy: {},
    'inbound/0/limits': { head_timeout: '1s' },
    'inbound/0/zzz': 1,
    'policy/__x': 1,
    journal: [{ two: 'stdout' }],
  });
  const found = mistakesOf(text).map(({ path, hint }) => [path, hint]);
  assert.deepEqual(Object.fromEntries(found), {
    'inbound[0].limits.head_timeout': 'did you mean headTimeout?',
    'inbound[0].zzz': undefined,
    'policy.__x': undefined,
    'journal[0].to': undefined,
    'journal[0].two': 'did you mean to?',
    polcy: 'did you mean policy?',
  });
});

test('the key __proto__ is a mistake and changes no object', () => {
  const found = mistakesOf(minimalWith({}).replace('"policy": {', '"policy": { "__proto__": {"mode": "shadow"},'));
  assert.deepEqual(
    found.map(({ path, expected }) => [path, expected]),
    [['policy', 'keys that are plain text']],
  );
});

test('all mistakes are reported together, in the order of the file, each with line and column', () => {
  const text = [
    'identity:',
    '  certificate: ${NOT_SET}/agent.pem',
    '  trustBundles: {}',
    'inbound:',
    '  - listen: :1',
    '    upstream: http://10.0.0.1:80',
    '    surprise: 1',
    '  - listen: 127.0.0.1:2',
    'journal: [nowhere]',
    'policy:',
    '  bundle: https://example.org/b',
    '  mode: off',
  ].join('\n');
  const found = mistakesOf(text).map(({ path, line, column }) => `${line}:${column} ${path}`);
  assert.deepEqual(found, [
    '1:1 identity.privateKey',
    '2:3 identity.certificate',
    '3:3 identity.trustBundles',
    '5:5 inbound[0].listen',
    '6:5 inbound[0].upstream',
    '7:5 inbound[0].surprise',
    '8:5 inbound[1].upstream',
    '9:11 journal[0]',
    '12:3 policy.mode',
  ]);
});

test('promise 10: a mistake shows a value as it was written, never what the environment held', () => {
  const found = mistakesOf(
    minimalWith({ 'policy/mode': '${SECRET}', 'inbound/0/listen': '${SECRET}:1', labels: { a: '${SECRET}' } }),
    {
      SECRET: 'hunter2',
    },
  );
  assert.equal(found.length, 2);
  assert.equal(JSON.stringify(found).includes('hunter2'), false);
  assert.deepEqual(found.map((mistake) => mistake.found).sort(), ['${SECRET}', '${SECRET}:1']);
});

test('a long value is shown shortened', () => {
  const [mistake] = mistakesOf(minimalWith({ 'policy/mode': 'x'.repeat(500) }));
  assert.ok((mistake?.found.length ?? 999) <= 80);
});

for (const text of ['', '# only a comment', 'null', '[]', '3', '"text"', '- a']) {
  test(`the file ${JSON.stringify(text)} is one mistake`, () => {
    const [mistake, ...others] = mistakesOf(text);
    assert.deepEqual([mistake?.path, mistake?.expected, others], ['', 'a map of settings', []]);
  });
}

test('faults of syntax have their place', () => {
  const [mistake] = mistakesOf('identity: {\n  a: [::]:1\n');
  assert.deepEqual([mistake?.path, mistake?.expected, mistake?.line], ['', 'well-formed YAML or JSON', 2]);
});

test('a mistake is one line for people, with its hint in brackets', () => {
  const mistake = { path: 'a.b[0]', expected: 'x', found: 'y', line: 3, column: 4 };
  assert.equal(formatMistake('f.yaml', mistake), 'f.yaml:3:4: a.b[0]: expected x, found y');
  assert.equal(formatMistake('f.yaml', { ...mistake, path: '', hint: 'z' }), 'f.yaml:3:4: expected x, found y (z)');
});

test('keys that are no plain words are quoted in paths', () => {
  assert.equal(formatPath(['a', 'example.org', 0, 'b-c', '1']), 'a["example.org"][0].b-c["1"]');
});
