import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get, openEverything } from '../support/system-clients.ts';
import { ALLOW_ALL, CALLER_ID, startSystem } from '../support/system.ts';

/** Long enough to open everything, also on a busy machine. */
const LIFE_MS = 5_000;

test(
  'a certificate that expires closes its connections, with a record for all that was open',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, { upstream: `auto://127.0.0.1:${upstream.port}`, policy: ALLOW_ALL });
    const { sidecar, authority } = system;
    const bystander = await connectHttp1(context, system);
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + LIFE_MS);
    const short = authority.issue({ id: CALLER_ID, notAfter });

    const unused = await connectHttp1(context, system, short);
    const open = await openEverything(context, system, short);
    assert.ok(Date.now() < notAfter.getTime(), 'everything was open before the end');
    assert.equal(sidecar.records().length, 0, 'and nothing has ended yet');
    await Promise.all([unused.ended, ...open.map((thing) => thing.ended)]);
    const late = Date.now() - notAfter.getTime();
    context.diagnostic(`closed ${late} ms after notAfter`);
    assert.ok(late >= 0, 'not before its time');

    const records = await sidecar.recordsFrom(0, open.length + 1);
    assert.equal(records.length, open.length + 1, 'one record for each');
    const aborted = records.filter(({ sallyport }) => sallyport.outcome.kind === 'aborted');
    assert.deepEqual(
      aborted.map(({ sallyport }) => [sallyport.verdict, sallyport.outcome.fault]),
      open.map(() => ['allow', 'peer_certificate_expired']),
    );
    const refused = records.filter(({ sallyport }) => sallyport.outcome.kind === 'refused');
    assert.deepEqual(
      refused.map(({ sallyport }) => sallyport.fault),
      ['peer_certificate_expired'],
    );
    assert.equal((await get(bystander, '/')).status, 200, 'others are served on');
  },
);
