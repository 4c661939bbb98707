import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { printConfigFault } from '../../../src/cli/config-fault.ts';
import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { Terminal } from '../../../src/cli/terminal.ts';

test('run: a configuration with mistakes is exit 2 with all of them, and nothing is started', async (context) => {
  const folder = await tempFolder(context);
  const file = join(folder, 'sallyport.yaml');
  await writeFiles(folder, {
    'sallyport.yaml': 'inbound: []\npolicy:\n  bundle: ${NO}\n  mode: maybe\nidentity: {}\njournal: [syslog]\n',
  });
  const { code, out, err } = await sallyport(['run', '--config', file]);
  assert.deepEqual([code, out], [2, []]);
  const places = err.slice(0, -1).map((line) =>
    line
      .slice(file.length + 1)
      .split(': ')
      .slice(0, 2)
      .join(' '),
  );
  assert.deepEqual(places, [
    '1:1 inbound',
    '3:3 policy.bundle',
    '4:3 policy.mode',
    '5:1 identity.certificate',
    '5:1 identity.privateKey',
    '5:1 identity.trustBundles',
    '6:11 journal[0]',
  ]);
  assert.equal(err.at(-1), `sallyport: 7 mistakes in ${file}`);
});

test('run: a configuration that is not there is exit 3', async (context) => {
  const file = join(await tempFolder(context), 'none.yaml');
  assert.deepEqual(await sallyport(['run', '--config', file]), {
    code: 3,
    out: [],
    err: [`sallyport: ${file}: there is no such file`],
  });
});

test('what stands in a configuration cannot speak to the terminal', () => {
  const lines: string[] = [];
  const terminal: Terminal = {
    env: {},
    out: () => {},
    err: (line) => void lines.push(line),
    style: (_stream, _style, text) => text,
  };
  const mistake = {
    path: 'a["\u001b[2J"]',
    expected: 'x',
    found: '\u001b]0;owned\u0007',
    line: 1,
    column: 1,
    hint: '\u202e',
  };
  assert.equal(printConfigFault('f\u001b.yaml', { kind: 'mistakes', mistakes: [mistake] }, terminal), 2);
  assert.equal(printConfigFault('f', { kind: 'unreadable', detail: '\u009b1m' }, terminal), 3);
  assert.doesNotMatch(lines.join('|'), /[\x00-\x1f\x7f-\x9f\u202e]/);
});
