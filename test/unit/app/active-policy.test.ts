import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { followPolicy } from '../../../src/app/active-policy.ts';
import { manifestJson, writeBundle } from '../../../src/core/bundle/write-bundle.ts';
import { DEFAULT_BUDGET, DEFAULT_MEMORY_BYTES } from '../../../src/core/policy/host.ts';
import { hostilePolicy } from '../../support/hostile-policy.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { Config } from '../../../src/core/config/config.ts';

function nothing(): void {
  // Nobody asks.
}

test('a delivered module that needs a built-in which is not here is refused with its name, the reason and the line of the call', async (context) => {
  const folder = await tempFolder(context);
  const rego = 'package t\n\nd if http.send({"method": "get", "url": "http://x"}).status_code == 200\n';
  const bundle = writeBundle({
    manifestJson: manifestJson('1', ['t/d']),
    policyWasm: hostilePolicy({ builtins: '{"http.send":0}' }),
    files: new Map([['t/d.rego', new TextEncoder().encode(rego)]]),
  });
  await writeFiles(folder, { 'b.tar.gz': bundle });
  const config = {
    bundle: { kind: 'path', path: join(folder, 'b.tar.gz') },
    decision: 't/d',
    budget: DEFAULT_BUDGET,
    memory: DEFAULT_MEMORY_BYTES,
  } as unknown as Config['policy'];
  const policy = followPolicy(config, { ...STILL_WORLD, onChange: nothing, onProblem: nothing });
  try {
    await policy.start();
    assert.equal(policy.current, undefined);
    const [first = '', second] = policy.problem ?? [];
    assert.match(first, /not available here: http\.send \(a decision may not wait for the network/);
    assert.equal(second, 'http.send is called in t/d.rego:3');
  } finally {
    policy.stop();
  }
});
