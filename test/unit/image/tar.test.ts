import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import fc from 'fast-check';

import { complete, folder, text, type ImageEntry } from '../../../helm/image/entry.ts';
import { writeTar } from '../../../helm/image/tar.ts';
import { tempFolder } from '../../support/temp-folder.ts';

function archive(entries: readonly ImageEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  writeTar(entries, (bytes) => parts.push(bytes));
  return Buffer.concat(parts);
}

/** Unpacks with the machine's own tar. */
async function unpacked(context: TestContext, entries: readonly ImageEntry[]): Promise<(path: string) => string> {
  const place = await tempFolder(context);
  writeFileSync(join(place, 'a.tar'), archive(entries));
  execFileSync('tar', ['-xpf', 'a.tar'], { cwd: place });
  return (path) => join(place, path);
}

describe('archives as tar reads them', () => {
  test('files, folders and links have their contents and modes', async (context) => {
    const at = await unpacked(context, [
      folder('/tmp', 0o1777),
      text('/a', 'x'.repeat(513)),
      { kind: 'file', path: '/run', mode: 0o755, from: { bytes: Buffer.from('run') } },
      { kind: 'link', path: '/l', target: 'a' },
    ]);
    assert.equal(lstatSync(at('tmp')).mode & 0o7777, 0o1777);
    assert.equal(readFileSync(at('a'), 'utf8'), 'x'.repeat(513));
    assert.equal(lstatSync(at('run')).mode & 0o777, 0o755);
    assert.equal(readlinkSync(at('l')), 'a');
    assert.equal(lstatSync(at('a')).mtimeMs, 0);
  });

  test('POSIX ustar: a path of more than 100 bytes is parted at a slash', async (context) => {
    const path = `/${'d'.repeat(90)}/${'e'.repeat(60)}/${'f'.repeat(99)}`;
    const at = await unpacked(context, [text(path, 'deep')]);
    assert.equal(readFileSync(at(path), 'utf8'), 'deep');
  });

  test('a path that cannot be written is refused, not cut', () => {
    for (const path of [`/${'n'.repeat(101)}`, `/${'d'.repeat(156)}/f`, `/${'a/'.repeat(130)}f`]) {
      assert.throws(() => archive([text(path, '')]), /too long for an archive/);
    }
  });

  test('any contents come out as they went in', async (context) => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(names, fc.uint8Array({ maxLength: 2_000 }), async (list, bytes) => {
        const entries = list.map((name): ImageEntry => ({
          kind: 'file',
          path: `/${name}`,
          mode: 0o644,
          from: { bytes },
        }));
        const at = await unpacked(context, entries);
        for (const name of list) assert.ok(readFileSync(at(name)).equals(bytes), name);
      }),
      { numRuns: 15 },
    );
  });
});

describe('entries made complete', () => {
  test('each path stands once, after the folders above it, in one order', () => {
    const entries = complete([text('/b/c/d', '1'), text('/a', '2'), text('/b/c/d', '3'), folder('/b', 0o700)]);
    assert.deepEqual(
      entries.map(({ kind, path }) => [kind, path]),
      [
        ['file', '/a'],
        ['folder', '/b'],
        ['folder', '/b/c'],
        ['file', '/b/c/d'],
      ],
    );
    assert.partialDeepStrictEqual(entries, [{}, { mode: 0o700 }]);
  });
});
