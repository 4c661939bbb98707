import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';

test('ca serve --schema and --reference need no configuration and start nothing', async () => {
  const schema = await sallyport(['ca', 'serve', '--schema']);
  assert.deepEqual([schema.code, schema.err], [0, []]);
  const { properties } = JSON.parse(schema.out.join('\n')) as { properties: Record<string, unknown> };
  assert.ok('workloadApi' in properties && !('inbound' in properties));
  const reference = await sallyport(['ca', 'serve', '--reference', '--config', 'none.yaml']);
  assert.equal(reference.code, 0);
  assert.match(reference.out.join('\n'), /^\| `kubernetes\.audience` \| text \| `"sallyport"` \| /m);
});
