import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { EXIT } from '../../../src/cli/exit-codes.ts';
import { sallyport } from '../../support/cli.ts';

const COMMANDS = [
  ['run'],
  ['demo'],
  ['check'],
  ['ca'],
  ['ca', 'init'],
  ['ca', 'issue'],
  ['ca', 'revoke'],
  ['ca', 'unbar'],
  ['ca', 'crl'],
  ['ca', 'serve'],
  ['ca', 'token'],
  ['ca', 'list'],
  ['ca', 'renew'],
  ['ca', 'root'],
  ['ca', 'root', 'prepare'],
  ['ca', 'root', 'activate'],
  ['ca', 'root', 'retire'],
  ['log'],
  ['log', 'verify'],
  ['log', 'show'],
  ['policy'],
  ['policy', 'build'],
  ['version'],
];
for (const command of COMMANDS) {
  test(`sallyport ${command.join(' ')} --help explains itself with an example, on stdout`, async () => {
    const { code, out, err } = await sallyport([...command, '--help']);
    assert.deepEqual([code, err], [EXIT.done, []]);
    assert.match(out.join('\n'), new RegExp(`Example:\n  sallyport ${command.join(' ')}`));
  });
}

test('the exit codes are the four of the contract', () => {
  assert.deepEqual(EXIT, { done: 0, no: 1, wrongUse: 2, outside: 3 });
});

const WRONG: readonly (readonly string[])[] = [
  [],
  ['nothing'],
  ['run'],
  ['run', '--config'],
  ['run', '--config', 'a', 'b'],
  ['run', '--nope'],
  ['check'],
  ['ca'],
  ['ca', 'nothing'],
  ['ca', 'issue'],
  ['ca', 'issue', '--id', 'spiffe://example.org/a', '--ttl', '1w'],
  ['ca', 'issue', '--id', 'spiffe://example.org/a', '--ttl', '0s'],
  ['ca', 'revoke'],
  ['ca', 'revoke', '--id', 'spiffe://a/b', '--serial', '01'],
  ['ca', 'unbar'],
  ['ca', 'unbar', '--id', 'spiffe://a/b', '--key', '01'],
  ['ca', 'token'],
  ['ca', 'root'],
  ['ca', 'init', '--key-type', 'rsa'],
  ['log', 'verify'],
  ['log', 'show'],
  ['log', 'verify', 'x', '--from', 'zz'],
  ['log', 'show', 'x', '--verdict', 'maybe'],
  ['log', 'show', 'x', '--last', '0'],
  ['policy', 'build'],
];
for (const args of WRONG) {
  test(`sallyport ${args.join(' ')}: wrong use is exit 2, said on stderr only`, async () => {
    const { code, out, err } = await sallyport(args);
    assert.deepEqual([code, out], [EXIT.wrongUse, []]);
    assert.ok(err.length > 0);
  });
}

test('a mistyped command is answered with the one that was meant', async () => {
  const { err } = await sallyport(['chek']);
  assert.match(err.join('\n'), /Did you mean check\?/);
});

test('commands of later versions are not there, not even as stubs', async () => {
  const { out } = await sallyport(['--help']);
  assert.doesNotMatch(out.join('\n'), /serve|eval|fmt/);
});

test('version says which Node runs it, as text and as JSON', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const { node } = process.versions;
  const platform = `${process.platform}-${process.arch}`;
  assert.deepEqual((await sallyport(['version'])).out, [`sallyport ${version} (Node ${node}, ${platform})`]);
  assert.deepEqual((await sallyport(['--version'])).out, [`sallyport ${version} (Node ${node}, ${platform})`]);
  assert.deepEqual(JSON.parse((await sallyport(['version', '--json'])).out[0] ?? ''), {
    sallyport: version,
    node,
    platform,
  });
});

async function required(file: string): Promise<string | undefined> {
  const text = await readFile(new URL(`../../../src/cli/${file}`, import.meta.url), 'utf8');
  return /const REQUIRED_MAJOR = (\d+);/.exec(text)?.[1];
}

test('main.ts and the launcher ask for the same Node', async () => {
  assert.deepEqual([await required('main.ts'), await required('pinned-node.js')], ['26', '26']);
});
