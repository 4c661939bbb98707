import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { originName, readConfig } from '../../../src/io/sources/config-file.ts';
import { sallyport } from '../../support/cli.ts';

const GOOD = {
  identity: { certificate: 'certs/agent.pem', privateKey: '/run/agent.key', trustBundles: { 'example.org': 'ca.pem' } },
  inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1' }],
  policy: { bundle: 'policies' },
};
const CHECK = ['check', '--config-only', '--config-env', 'SALLYPORT_CONFIG'];

describe('--config-env', () => {
  test('a configuration in a variable is good as in a file, and is called by the name of the variable', async () => {
    const { code, out, err } = await sallyport(CHECK, { SALLYPORT_CONFIG: JSON.stringify(GOOD) });
    assert.deepEqual([code, out, err], [0, ['$SALLYPORT_CONFIG: good'], []]);
  });

  test('YAML does as well, and ${NAME} is expanded in it', async () => {
    const origin = { kind: 'environment', name: 'C' } as const;
    const text = `${JSON.stringify({ ...GOOD, policy: { bundle: '${POLICY}' } }, null, 2)}\n`;
    const config = await readConfig(origin, { C: text, POLICY: 'there' });
    assert.deepEqual(config.ok && config.value.policy.bundle, { kind: 'path', path: resolve('there') });
    assert.equal(originName(origin), '$C');
  });

  test('relative paths count from where the process stands', async () => {
    const config = await readConfig({ kind: 'environment', name: 'C' }, { C: JSON.stringify(GOOD) });
    assert.ok(config.ok && config.value.identity.source === 'files');
    assert.deepEqual(
      [config.value.identity.certificate, config.value.identity.privateKey],
      [join(process.cwd(), 'certs/agent.pem'), '/run/agent.key'],
    );
  });

  test('mistakes are shown one by one with their places, never the whole text: exit 2', async () => {
    const token = 'a-token-that-must-not-be-shown';
    const text = JSON.stringify({ ...GOOD, policy: { ...GOOD.policy, bundleServer: { token }, mode: 'maybe' } });
    const { code, out, err } = await sallyport(CHECK, { SALLYPORT_CONFIG: text });
    assert.deepEqual([code, out], [2, []]);
    assert.match(
      err.join('\n'),
      /^\$SALLYPORT_CONFIG:1:\d+: policy\.mode: expected enforce or shadow, found "maybe"$/m,
    );
    assert.equal(err.at(-1), 'sallyport: 2 mistakes in $SALLYPORT_CONFIG');
    assert.ok(!err.join('\n').includes(token));
  });

  test('a variable that is not set, or empty, is named: exit 3', async () => {
    const unset = await sallyport(CHECK, {});
    assert.equal(unset.code, 3);
    assert.deepEqual(unset.err, [
      'sallyport: $SALLYPORT_CONFIG: there is no such environment variable; set it, or use --config FILE',
    ]);
    const empty = await sallyport(CHECK, { SALLYPORT_CONFIG: ' \n' });
    assert.equal(empty.code, 3);
    assert.match(empty.err[0] ?? '', /^sallyport: \$SALLYPORT_CONFIG: the environment variable is empty/);
  });

  test('what is inherited by every object is no variable', async () => {
    assert.equal((await sallyport(['check', '--config-env', 'constructor'], {})).code, 3);
  });

  test('more than 1 MiB is not read', async () => {
    const { code, err } = await sallyport(CHECK, { SALLYPORT_CONFIG: `{"a": "${'x'.repeat(1_048_576)}"}` });
    assert.equal(code, 3);
    assert.deepEqual(err, ['sallyport: $SALLYPORT_CONFIG: it is longer than 1048576 bytes']);
  });

  for (const command of ['run', 'check']) {
    test(`${command}: exactly one of --config and --config-env, and a name that is one: exit 2`, async () => {
      const neither = await sallyport([command]);
      assert.equal(neither.code, 2);
      assert.match(neither.err[0] ?? '', /--config FILE or --config-env NAME is needed/);
      const both = await sallyport([command, '--config', 'a', '--config-env', 'B']);
      assert.equal(both.code, 2);
      assert.match(both.err[0] ?? '', /not both/);
      const value = await sallyport([command, '--config-env', '{"policy": "secret"}']);
      assert.equal(value.code, 2);
      assert.ok(!value.err.join('\n').includes('secret'), 'what was given by mistake is not repeated');
    });
  }

  test('run: a variable with mistakes is exit 2 and named', async () => {
    process.env['SALLYPORT_TEST_CONFIG'] = '{}';
    const { code, err } = await sallyport(['run', '--config-env', 'SALLYPORT_TEST_CONFIG']);
    delete process.env['SALLYPORT_TEST_CONFIG'];
    assert.equal(code, 2);
    assert.match(err.at(-1) ?? '', /mistakes in \$SALLYPORT_TEST_CONFIG$/);
  });

  test('whatever a variable holds gives a configuration or a fault, never an exception, and no line longer than a screen', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        const { code, err } = await sallyport(CHECK, { SALLYPORT_CONFIG: text });
        assert.ok(code === 2 || code === 3);
        for (const line of err) assert.ok(line.length < 1_000);
      }),
      { numRuns: 50 },
    );
  });
});
