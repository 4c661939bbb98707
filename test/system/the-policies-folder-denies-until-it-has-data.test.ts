import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { POLICIES } from '../support/policy-library.ts';
import { answer, ask, connectHttp1, connectHttp2, get, grpcHead, grpcMessage } from '../support/system-clients.ts';
import { ALLOW_ALL, CALLER_ID, OWN_ID, startSystem } from '../support/system.ts';

const FLEET = {
  fleet: {
    agents: { [OWN_ID]: 'weather', 'spiffe://example.org/**': 'readers' },
    segments: {
      weather: {
        functions: {
          '/v1': { '/forecasts': { '/*': { GET: 'read', DELETE: 'delete' } } },
          '/weather.Weather': { '/Now': { POST: 'now' }, '/Set': { POST: 'set' } },
        },
        callers: { readers: { read: true, now: true } },
      },
    },
  },
};

/** All of `policies/`, as a user copies it: tests, schema, starter and texts too. */
function shipped(): Record<string, Uint8Array> {
  const entries = readdirSync(POLICIES, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [`policies/${path.slice(POLICIES.length + 1)}`, readFileSync(path)]));
}

test(
  'policies/ as it is shipped denies everything, and decides by data.json once it is there',
  { timeout: 90_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const { sidecar, ...system } = await startSystem(context, {
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      policyKeys: { bundle: 'policies/', decision: 'sallyport/authz/decision' },
      files: shipped(),
    });
    const peer = await connectHttp1(context, { sidecar, ...system });

    const refused = await get(peer, '/v1/forecasts/7');
    assert.equal(refused.status, 403);
    assert.deepEqual(Object.keys(JSON.parse(refused.body) as object).sort(), [
      'decision_id',
      'status',
      'title',
      'type',
    ]);
    const [first] = await sidecar.recordsFrom(0, 1);
    assert.deepEqual(first?.sallyport.reasons, [
      'data.fleet is not described: it needs the objects agents and segments',
    ]);

    const revisions = 'sallyport_reloads_total{kind="policy",result="ok"}';
    const before = (await sidecar.metric(revisions)) ?? 0;
    await system.replace('policies/data.json', JSON.stringify(FLEET));
    await sidecar.until('the data in force', async () => ((await sidecar.metric(revisions)) ?? 0) > before);

    // A connection that a new revision would refuse is cut; a caller may come back.
    const again = await connectHttp1(context, { sidecar, ...system });
    const known = sidecar.records().length;
    const cases = [
      ['/v1/forecasts/7', 200, 'segment readers may ask segment weather for read'],
      [
        '/v1/forecasts',
        403,
        'segment weather has no function for GET /v1/forecasts; see data.fleet.segments.weather.functions',
      ],
    ] as const;
    for (const [path, status] of cases) assert.equal((await get(again, path)).status, status);

    const session = await connectHttp2(context, { sidecar, ...system });
    const now = ask(session, grpcHead('/weather.Weather/Now'), false);
    now.end(grpcMessage('here'));
    assert.equal((await answer(now)).trailers['grpc-status'], '0');
    const set = await answer(ask(session, grpcHead('/weather.Weather/Set')));
    assert.equal(set.headers['grpc-status'], '7');

    const records = await sidecar.recordsFrom(known, 4);
    assert.deepEqual(
      records.map(({ sallyport }) => sallyport.reasons),
      [
        ...cases.map(([, , reason]) => [reason]),
        ['segment readers may ask segment weather for now'],
        ['segment readers may not ask segment weather for set; see data.fleet.segments.weather.callers.readers'],
      ],
    );
    assert.deepEqual(new Set(records.map(({ sallyport }) => sallyport.peer)), new Set([CALLER_ID]));
    assert.equal(upstream.received.length, 2, 'nothing that was denied reached the agent');
  },
);
