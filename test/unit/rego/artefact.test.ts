import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readArtefact, readArtefactFacts } from '../../../src/io/rego/artefact.ts';
import { digestOfSources, readPinned, sha256 } from '../../../src/io/rego/go/toolchain.ts';

test('the committed compiler is the module whose digest is recorded', async () => {
  const [facts, module] = await Promise.all([readArtefactFacts(), readArtefact()]);
  assert.equal(sha256(module), facts.sha256);
  assert.equal(module.length, facts.bytes);
});

test('the Go sources have not changed since the compiler was built (else: npm run rego:build)', async () => {
  const [facts, pinned] = await Promise.all([readArtefactFacts(), readPinned()]);
  assert.equal(await digestOfSources(), facts.sourcesSha256);
  assert.deepEqual(pinned, { opa: facts.opa, go: facts.go });
});
