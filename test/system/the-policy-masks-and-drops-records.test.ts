import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get, post } from '../support/system-clients.ts';
import { startSystem } from '../support/system.ts';

/** Decides on the body, so that bodies are read; hides a header and a reason, and leaves probes out of the log. */
const POLICY = {
  rego: `package test.authz

decision := {"allowed": input.parsed_body.amount < 10, "reasons": [sprintf("card %v", [input.parsed_body.card])]} if {
	input.attributes.request.http.method == "POST"
} else := {"allowed": true, "headers": {"authorization": "Bearer handed-on"}}
`,
};

test(
  'data.system.log.mask and .drop shape the log, and secrets are masked without being asked',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: {
        ...POLICY,
        logRego: `package system.log

mask contains "/input/attributes/request/http/headers/x-session"

mask contains {"op": "upsert", "path": "/result/reasons/0", "value": "card hidden"} if input.result.reasons[0]

drop if input.input.parsed_path == ["probe"]
`,
      },
    });
    const { sidecar } = system;
    const peer = await connectHttp1(context, system);
    assert.equal((await get(peer, '/probe')).status, 200);
    const secrets = 'Authorization: Bearer s3cr3t-a\r\nCookie: sid=s3cr3t-b\r\nX-Session: s3cr3t-c\r\n';
    assert.equal((await get(peer, '/account', secrets)).status, 200);
    const body = JSON.stringify({ amount: 3, card: 's3cr3t-d' });
    assert.equal((await post(peer, '/pay', 'application/json', body)).status, 200);
    assert.equal((await get(peer, '/probe')).status, 200);
    assert.equal(await sidecar.stop(), 0);
    assert.equal(upstream.received.length, 4, 'masking changes no request');
    assert.ok(upstream.received[1]?.headers.includes('s3cr3t-c'));

    const [account, pay, ...more] = sidecar.records();
    assert.deepEqual(more, [], 'probes are not in the log');
    assert.deepEqual([account?.req_id, pay?.req_id], [2, 3], 'but their numbers are missing from it');
    const http = '/input/attributes/request/http/headers';
    assert.deepEqual(account?.masked?.toSorted(), [
      `${http}/authorization`,
      `${http}/cookie`,
      '/result/headers/authorization',
    ]);
    assert.deepEqual(account?.erased, [`${http}/x-session`]);
    assert.deepEqual(pay?.erased, ['/input/parsed_body']);
    assert.deepEqual((pay?.result as { reasons: unknown } | undefined)?.reasons, ['card hidden']);
    assert.equal(JSON.stringify(sidecar.records()).includes('s3cr3t'), false);
    assert.equal((await sallyport(['log', 'verify', join(system.folder, 'records.ndjson')])).code, 0);
  },
);
