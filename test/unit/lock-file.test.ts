import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

type Entry = {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Record<string, string>;
};

const LOCK = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Entry>>;
};

test('`npm ci` finds every optional platform package in the lock file (else: node .ci/complete-lock-file.ts)', () => {
  for (const [parent, entry] of Object.entries(LOCK.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      assert.ok(LOCK.packages[`node_modules/${name}`]?.version, `${parent} wants ${name}`);
    }
  }
});

test('the lock file names no registry', () => {
  for (const [name, entry] of Object.entries(LOCK.packages)) assert.equal(entry.resolved, undefined, name);
});
