import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf } from '../../../src/core/record/chain.ts';
import { logLines } from '../../../src/cli/log-lines.ts';
import { verifyLogFiles } from '../../../src/cli/verify-log-files.ts';
import { createLineMaker } from '../../support/journal-lines.ts';

async function withFiles(texts: readonly string[], use: (paths: readonly string[]) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-log-'));
  try {
    const paths = texts.map((_, index) => join(folder, `log.${index}`));
    await Promise.all(paths.map((path, index) => writeFile(path, texts[index] ?? '')));
    await use(paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function linesOf(path: string): Promise<readonly (readonly [string, boolean])[]> {
  const lines: [string, boolean][] = [];
  for await (const { kind, bytes } of logLines(path)) {
    if (kind === 'line' || bytes.length > 0) lines.push([Buffer.from(bytes).toString(), kind === 'line']);
  }
  return lines;
}

const make = createLineMaker();
const lines = Array.from({ length: 600 }, make);

test('logLines: every line, over the borders of what is read at once, and what has no line end', async () => {
  const text = `${lines.join('\n')}\n\nbegun`;
  await withFiles([text], async ([path = '']) => {
    const read = await linesOf(path);
    assert.ok(text.length > 262_144);
    assert.deepEqual(read, [...lines, ''].map((line): [string, boolean] => [line, true]).concat([['begun', false]]));
  });
});

test('logLines: an empty file has no lines; a missing one throws', async () => {
  await withFiles([''], async ([path = '']) => {
    assert.deepEqual(await linesOf(path), []);
    await assert.rejects(linesOf(`${path}.missing`), { code: 'ENOENT' });
  });
});

test('verifyLogFiles: rotated files, oldest first, are one chain', async () => {
  const texts = [lines.slice(0, 200), lines.slice(200, 201), [], lines.slice(201)].map((part) =>
    part.map((line) => `${line}\n`).join(''),
  );
  await withFiles(texts, async (paths) => {
    const verdict = await verifyLogFiles(paths);
    assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.last], [600, hashOf(lines[599] ?? '')]);
    assert.deepEqual(await verifyLogFiles(paths.toReversed()), {
      kind: 'broken',
      line: 1,
      why: 'order',
      file: paths[1],
    });
    assert.equal((await verifyLogFiles(paths.slice(1), hashOf(lines[199] ?? ''))).kind, 'sound');
    assert.deepEqual(await verifyLogFiles(paths.slice(1), hashOf(lines[0] ?? '')), {
      kind: 'broken',
      line: 1,
      why: 'order',
      file: paths[1],
    });
  });
});

test('verifyLogFiles: a break is placed in its file and line', async () => {
  const texts = [
    `${lines[0]}\n${lines[1]}\n${lines[2]?.slice(0, 80)}`,
    `${lines[2]}\n${lines[3]}\n${lines[4]?.replace('allow', 'deny')}\n${lines[5]}\n`,
  ];
  await withFiles(texts, async (paths) => {
    assert.deepEqual(await verifyLogFiles(paths), { kind: 'broken', line: 3, why: 'changed', file: paths[1] });
  });
});

test('verifyLogFiles: nonsense at the end of a file is placed there', async () => {
  await withFiles([`${lines[0]}\nnonsense\n`, `${lines[1]}\n`], async (paths) => {
    assert.deepEqual(await verifyLogFiles(paths), { kind: 'broken', line: 2, why: 'malformed', file: paths[0] });
  });
});

test('verifyLogFiles: a last line without its line end counts, a begun one is told', async () => {
  await withFiles([`${lines[0]}\n${lines[1]}`, `${lines[2]}\n${lines[3]?.slice(0, 9)}`], async (paths) => {
    const verdict = await verifyLogFiles(paths);
    assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.unfinished], [3, 1]);
  });
});
