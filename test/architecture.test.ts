import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { violations } from './support/architecture-rules.ts';
import { importsOf, readSources, type SourceFile } from './support/imports.ts';

const ROOT = join(import.meta.dirname, '..', 'src');

function file(path: string, text: string): SourceFile {
  return { path, text, imports: importsOf(ROOT, path, text) };
}

/** What the rules say of one made-up file, so that each rule is seen to fail. */
function judged(path: string, text: string): string[] {
  return violations([file(path, text)]).map((broken) => broken.rule);
}

describe('the house', () => {
  test('src keeps every rule', () => {
    const broken = violations(readSources(ROOT)).map((one) => `${one.file}:${one.line} ${one.rule} (${one.why})`);
    assert.deepEqual(broken, []);
  });

  test('every room has a README of at most 15 lines', () => {
    for (const layer of ['core', 'io']) {
      for (const room of readdirSync(join(ROOT, layer))) {
        const folder = join(ROOT, layer, room);
        if (!statSync(folder).isDirectory()) continue;
        const readme = join(folder, 'README.md');
        assert.ok(existsSync(readme), `${layer}/${room} has no README.md`);
        const lines = readFileSync(readme, 'utf8').trimEnd().split('\n').length;
        assert.ok(lines <= 15, `${layer}/${room}/README.md has ${lines} lines`);
      }
    }
  });

  test('no file of src is longer than 600 lines', () => {
    for (const file of readSources(ROOT)) assert.ok(file.text.split('\n').length <= 600, file.path);
  });
});

describe('a broken rule is found', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      'core never imports io',
      'core/gate/x.ts',
      "import { a } from '../../io/listen/a.ts';",
      'core imports io/listen/a.ts',
    ],
    [
      'io never imports app',
      'io/listen/x.ts',
      "import { a } from '../../app/sidecar.ts';",
      'io imports app/sidecar.ts',
    ],
    [
      'an io room never imports another',
      'io/listen/x.ts',
      "import { a } from '../forward/a.ts';",
      'io/listen imports io/forward',
    ],
    [
      'core rooms meet only through model',
      'core/request/x.ts',
      "import { a } from '../policy/a.ts';",
      'core/request imports core/policy',
    ],
    [
      'type imports count as well',
      'core/request/x.ts',
      "import type { A } from '../policy/a.ts';",
      'core/request imports core/policy',
    ],
    [
      'kernel imports nothing',
      'core/kernel/x.ts',
      "import { a } from '../model/faults.ts';",
      'core/kernel imports core/model/faults.ts',
    ],
    ['core uses no sockets', 'core/request/x.ts', "import net from 'node:net';", 'core/request imports node:net'],
    [
      'only crypto rooms use node:crypto',
      'core/request/x.ts',
      "import { createHash } from 'node:crypto';",
      'core/request imports node:crypto',
    ],
    ['a lazy import is an import', 'core/gate/x.ts', "const a = await import('node:fs');", 'core/gate imports node:fs'],
    [
      'core has no wall clock',
      'core/gate/x.ts',
      'const now = Date.now();',
      'a global of the world: const now = Date.now();',
    ],
    ['core has no timers', 'core/gate/x.ts', 'setTimeout(f, 1);', 'a global of the world: setTimeout(f, 1);'],
    ['no default exports', 'io/listen/x.ts', 'export default 1;', 'a default export'],
    ['no enums', 'io/listen/x.ts', 'export enum A { b }', 'an enum'],
    ['no index files', 'io/listen/index.ts', 'export const a = 1;', 'an index file'],
    [
      'only the gate makes a Permit',
      'io/forward/x.ts',
      'const p = Permit.mint(id, connection, request);',
      'Permit.mint outside the gate',
    ],
    ['no TODO without an issue number', 'io/forward/x.ts', '// TODO later', 'a left-over without an issue number'],
  ];
  for (const [title, path, text, rule] of cases) {
    test(title, () => assert.deepEqual(judged(path, text), [rule]));
  }

  test('what is allowed is not called broken', () => {
    assert.deepEqual(judged('core/gate/x.ts', "import { a } from '../request/a.ts';\nconst p = Permit.mint(a);"), []);
    assert.deepEqual(
      judged('io/listen/x.ts', "import { a } from '../../core/model/faults.ts';\nimport net from 'node:net';"),
      [],
    );
    assert.deepEqual(judged('core/identity/x.ts', "import { createHash } from 'node:crypto';"), []);
  });

  test('an import cycle is found', () => {
    const rules = violations([
      file('core/gate/a.ts', "import { b } from './b.ts';"),
      file('core/gate/b.ts', "import { a } from './a.ts';"),
    ]).map((one) => one.rule);
    assert.deepEqual(rules, ['an import cycle: core/gate/a.ts -> core/gate/b.ts -> core/gate/a.ts']);
  });
});
