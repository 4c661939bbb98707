import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';

import { activateRoot, prepareRoot, retireRoot } from '../../../src/io/authority/root-rotation.ts';
import { ISSUING, startAuthorityProcess } from '../../support/authority-process.ts';
import { DAY, valueOf } from '../../support/authority-world.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { livingFolder, startLiving, untilBelieved } from '../../support/living-sidecar.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { buildJudge, RunningJudge, type Line } from './judge.ts';

const judge = await buildJudge();
const path = 'path' in judge ? judge.path : '';
const needsGo = { skip: 'missing' in judge ? judge.missing : false, timeout: 150_000 } as const;
after(() => ('remove' in judge ? judge.remove() : undefined));

const GO_ID = 'spiffe://example.org/go';
const SIDECAR_ID = 'spiffe://example.org/sidecar';

/** An outbound call of the sidecar's agent. */
function callOut(port: number): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path: '/hello', agent: false, headers: { host: 'go.internal' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('error', reject).end();
  });
}

/** What go-spiffe was sent of the SVIDs: each with whether it verifies. */
function svidsIn(lines: readonly Line[]): readonly Readonly<Record<string, unknown>>[] {
  return lines.flatMap((line) => (line['kind'] === 'svids' ? (line['svids'] as Record<string, unknown>[]) : []));
}

/** How many roots go-spiffe believes by the newest message of bundles. */
function rootsNow(lines: readonly Line[]): number | undefined {
  const newest = lines.findLast(({ kind }) => kind === 'bundles');
  return (newest?.['bundles'] as Readonly<Record<string, number>> | undefined)?.['example.org'];
}

/** A Workload API in the process of the authority, as `ca serve` has it, and Go programs with identities from there. */
async function startWorld(context: TestContext) {
  const socket = join(await tempFolder(context), 'api.sock');
  const workloadApi = { socket, identities: [{ id: GO_ID }] };
  // A new CA issues when half of a list's life has gone by.
  const authority = await startAuthorityProcess(context, { leaf: '10s', list: '10s', config: { workloadApi } });
  const api = `unix://${socket}`;
  const server = new RunningJudge(context, path, 'serve', api, SIDECAR_ID);
  const { address } = await server.line('the address', (line) => 'address' in line);
  const agent = await startEchoUpstream();
  context.after(() => agent.close());
  const outbound = [{ listen: '127.0.0.1:0', destinations: { 'go.internal': { address, id: GO_ID } } }];
  const upstream = `auto://127.0.0.1:${agent.port}`;
  const living = await livingFolder(context, authority, { id: SIDECAR_ID, upstream, config: { outbound } });
  return { authority, api, sidecar: await startLiving(context, living) };
}

test(
  'a running authority gives both sides their identity: calls both ways, renewals and a change of root',
  needsGo,
  async (context) => {
    const { authority, api, sidecar } = await startWorld(context);
    const { store, deps } = authority;
    const watch = new RunningJudge(context, path, 'watch', api);
    const bothWays = async (when: string): Promise<void> => {
      assert.deepEqual(await callOut(sidecar.outboundPort()), { status: 200, body: `hello ${SIDECAR_ID}` }, when);
      const address = `127.0.0.1:${sidecar.port}`;
      const [got] = await new RunningJudge(context, path, 'get', api, SIDECAR_ID, address, '/one').all();
      assert.deepEqual([got?.['status'], got?.['peer'], got?.['error']], [200, SIDECAR_ID, undefined], when);
    };
    await bothWays('under the first root');

    valueOf(await prepareRoot(store, { keyKind: 'p256', ttlMs: 30 * DAY }, deps));
    await untilBelieved(authority, [sidecar], 2);
    await until('two roots', () => rootsNow(watch.lines) === 2);
    await bothWays('while two roots are believed');

    valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
    await sidecar.until('the old root to be of no use', async () => {
      const retired = await retireRoot(store, { state: 'retiring', force: false }, deps);
      if (!retired.ok) assert.match(retired.error, /is in use until/);
      return retired.ok;
    });
    await untilBelieved(authority, [sidecar], 1);
    await until('the second root alone', () => rootsNow(watch.lines) === 1);
    await bothWays('under the second root');

    const svids = svidsIn(watch.lines);
    const serials = new Set(svids.map(({ serial }) => serial));
    context.diagnostic(`${serials.size} SVIDs from the running authority, ${svids.length} messages`);
    assert.ok(serials.size >= 3, 'there were renewals');
    assert.ok(
      svids.every(({ id, verifies }) => id === GO_ID && verifies === true),
      JSON.stringify(svids),
    );
    assert.deepEqual(watch.complaints, []);
    const records = await sidecar.recordsFrom(0, 6);
    assert.deepEqual(
      records.map(({ sallyport: { direction, verdict, outcome } }) => [direction, verdict, outcome.status]),
      Array.from({ length: 3 }, () => [
        ['outbound', 'allow', 200],
        ['inbound', 'allow', 200],
      ]).flat(),
    );
    assert.deepEqual(
      new Set(records.filter((_, at) => at % 2 === 1).map(({ sallyport }) => sallyport.peer)),
      new Set([GO_ID]),
    );
  },
);
