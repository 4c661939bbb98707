import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';

import { locateClone } from '../../../src/app/demo-clone.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('in a clone everything that the demo runs is there', () => {
  const clone = locateClone();
  assert.ok(clone.ok);
  for (const path of Object.values(clone.value)) assert.ok(existsSync(path), path);
});

test('where the examples are missing it says that the demo runs from a clone, and what is missing', async (context) => {
  const folder = await tempFolder(context);
  const clone = locateClone(folder);
  assert.ok(!clone.ok);
  assert.match(clone.error, /^sallyport: the demo runs from a clone of the repository, after `npm ci`; here it lacks /);
  assert.ok(clone.error.includes(`${folder}/examples/grpc-agent/server.ts`));
});
