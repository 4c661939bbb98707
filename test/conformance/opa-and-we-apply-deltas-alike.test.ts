import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { applyDelta } from '../../src/core/bundle/apply-delta.ts';
import { readBundle } from '../../src/core/bundle/bundle.ts';
import { readUpdate } from '../../src/core/bundle/delta.ts';
import { packBundle } from '../../src/core/bundle/write-bundle.ts';
import { OPA, needsNativeOpa } from '../support/native-opa.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Bundle } from '../../src/core/bundle/bundle.ts';

const MANIFEST = JSON.stringify({ revision: 'r', roots: ['m', 'l', 'n'] });

function archive(files: Readonly<Record<string, string>>): Uint8Array {
  return packBundle(new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])));
}

const SNAPSHOT = archive({
  '.manifest': MANIFEST,
  'data.json': '{"m":{"a":1,"a/b":{"c~d":2},"é x":3},"l":[[1],{"x":{}},3],"n":12345678901234567890}',
});

/** What each delta does, and whether it can be done: one that cannot changes nothing, in OPA and here. */
const DELTAS: readonly (readonly [readonly object[], boolean])[] = [
  [[{ op: 'upsert', path: '/m/new/deep/er', value: [1.5, null] }], true],
  [[{ op: 'upsert', path: 'l/0/0', value: 'first' }], true],
  [[{ op: 'upsert', path: '/l/-', value: { last: true } }], true],
  [
    [
      { op: 'upsert', path: '/m/a', value: 2 },
      { op: 'remove', path: '/m/gone' },
    ],
    false,
  ],
  [[{ op: 'upsert', path: '/l/1/x/y/z', value: {} }], true],
  [
    [
      { op: 'remove', path: '/m/a~1b/c~0d' },
      { op: 'replace', path: '/m/%C3%A9%20x', value: 4 },
    ],
    true,
  ],
  [[{ op: 'replace', path: '/l/9', value: 1 }], false],
  [[{ op: 'remove', path: '/l/2' }], true],
  [[{ op: 'upsert', path: '/n/below/scalar', value: 1 }], false],
  [[{ op: 'upsert', path: '/elsewhere', value: 1 }], false],
  [
    [
      { op: 'remove', path: '/m/a' },
      { op: 'upsert', path: '/m/a', value: { b: 1 } },
    ],
    true,
  ],
  [[{ op: 'replace', path: '/n', value: 2 }], true],
];

/** A bundle server: what it offers, and how often it was asked since. */
async function serve(context: TestContext) {
  let current = { etag: '"0"', body: SNAPSHOT };
  let asked = 0;
  const server = createServer((incoming, response) => {
    asked += 1;
    if (incoming.headers['if-none-match'] === current.etag) response.writeHead(304).end();
    else response.writeHead(200, { 'content-type': 'application/gzip', etag: current.etag }).end(current.body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    offer: (etag: string, body: Uint8Array): void => {
      current = { etag: `"${etag}"`, body };
      asked = 0;
    },
    /** OPA asks again only when it is done with what it got. */
    taken: () => until('opa to take the bundle', () => asked >= 2),
  };
}

/** A running `opa` that takes its bundle from `url`; answers its data. */
async function startOpa(context: TestContext, url: string): Promise<() => Promise<unknown>> {
  const folder = await tempFolder(context);
  const polling = { min_delay_seconds: 0, max_delay_seconds: 1 };
  const config = { services: { s: { url } }, bundles: { b: { service: 's', resource: 'b', polling } } };
  await writeFiles(folder, { 'config.json': JSON.stringify(config) });
  const args = ['run', '--server', '-c', 'config.json', '-a', 'unix://opa.sock', '--skip-version-check'];
  const child = spawn(OPA, args, { cwd: folder, stdio: 'ignore' });
  context.after(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  return async () => {
    const asking = request({ socketPath: join(folder, 'opa.sock'), path: '/v1/data' }).end();
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    const { m, l, n } = (JSON.parse(await text(answer)) as { result: Record<string, unknown> }).result;
    return { m, l, n };
  };
}

test(
  'opa and we apply deltas alike, and refuse the same ones without a trace',
  { ...needsNativeOpa, timeout: 90_000 },
  async (context) => {
    const server = await serve(context);
    const opaData = await startOpa(context, server.url);
    await server.taken();
    const snapshot = readBundle(SNAPSHOT);
    assert.ok(snapshot.ok);
    let ours: Bundle = snapshot.value;
    for (const [index, [operations, works]] of DELTAS.entries()) {
      const delta = archive({ '.manifest': MANIFEST, 'patch.json': JSON.stringify({ data: operations }) });
      server.offer(`d${index}`, delta);
      await server.taken();
      const read = readUpdate(delta);
      const applied = read.ok && read.value.kind === 'delta' ? applyDelta(ours, read.value.delta) : read;
      assert.equal(applied.ok, works, JSON.stringify(operations));
      if (applied.ok && 'dataJson' in applied.value) ours = applied.value;
      assert.deepEqual(await opaData(), JSON.parse(ours.dataJson), JSON.stringify(operations));
    }
  },
);
