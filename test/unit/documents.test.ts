import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { FAULTS } from '../../src/core/model/faults.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Markdown files that we write, wherever they stand. */
function documents(): readonly string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  const below = ['src', 'test', 'docs', 'policies', 'certs', 'helm', 'examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  );
  return [...top, ...below];
}

test('every link between documents leads somewhere', () => {
  for (const path of documents()) {
    for (const [, target = ''] of read(path).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(ROOT, dirname(path), target)), `${path} links to ${target}`);
    }
  }
});

test('every test that SECURITY.md names exists', () => {
  const named = [
    ...read('SECURITY.md').matchAll(
      /`((?:unit|system|conformance|kube)\/[\w./*-]+\.(?:test|kube)\.ts|(?:unit|conformance)\/[\w/-]+\/\*|architecture\.test\.ts)`/g,
    ),
  ];
  assert.ok(named.length > 20);
  for (const [, path = ''] of named) assert.ok(globSync(join(ROOT, 'test', path)).length > 0, path);
});

test('every file that the map of src names exists', () => {
  for (const [, path = ''] of read('src/README.md').matchAll(/`((?:core|io|app|cli)\/[\w/-]+(?:\.ts)?)`/g)) {
    assert.ok(existsSync(join(ROOT, 'src', path)), path);
  }
});

test('fault codes that documents name are in the table', () => {
  for (const path of documents()) {
    for (const [, code = ''] of read(path).matchAll(/`((?:peer|policy|destination|upstream|journal)_[a-z_]+)`/g)) {
      assert.ok(code in FAULTS || code === 'policy_result', `${path} names ${code}`);
    }
  }
});
