import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { logLines } from '../../../src/cli/log-lines.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

async function partsOf(context: TestContext, content: string | Uint8Array): Promise<readonly string[]> {
  const folder = await tempFolder(context);
  await writeFiles(folder, { log: content });
  const parts: string[] = [];
  for await (const { kind, bytes } of logLines(join(folder, 'log')))
    parts.push(`${kind} ${Buffer.from(bytes).toString('latin1')}`);
  return parts;
}

test('lines come without their ends, and last what stands after the last end', async (context) => {
  assert.deepEqual(await partsOf(context, 'a\nb\n'), ['line a', 'line b', 'rest ']);
  assert.deepEqual(await partsOf(context, 'a\n\nb'), ['line a', 'line ', 'rest b']);
  assert.deepEqual(await partsOf(context, ''), ['rest ']);
  assert.deepEqual(await partsOf(context, '\n'), ['line ', 'rest ']);
  assert.deepEqual(await partsOf(context, 'a\r\n'), ['line a\r', 'rest ']);
});

test('bytes that are no UTF-8 come as they are: decoding would hide a change', async (context) => {
  assert.deepEqual(await partsOf(context, Uint8Array.of(0xff, 0xc3, 0x0a)), ['line \xff\xc3', 'rest ']);
});

test('property: the parts are the file, wherever its reads end', async (context) => {
  const piece = fc.oneof(
    fc.constant('\n'),
    fc.integer({ min: 0, max: 70_000 }).map((length) => 'x'.repeat(length)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const text = pieces.join('');
      const parts = await partsOf(context, text);
      assert.equal(parts.map((part) => part.replace(/^line (.*)$/s, '$1\n').replace(/^rest /, '')).join(''), text);
    }),
    { numRuns: 40 },
  );
});

test('a line without end is given up at 16 MiB, not read into memory', async (context) => {
  await assert.rejects(partsOf(context, Buffer.alloc(17 * 1_048_576, 0x61)), /a line is longer than 16777216 bytes/);
});
