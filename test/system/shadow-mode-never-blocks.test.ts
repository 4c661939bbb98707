import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { connectHttp1, get, openWebSocket, post } from '../support/system-clients.ts';
import { clientTls, startSystem } from '../support/system.ts';

import type { FaultCode } from '../../src/core/model/faults.ts';

/** Fails in a different way for each path; `allowed` allows, with obligations. */
const TRIAL = `package test.authz

path := input.parsed_path[0]

decision := {"allowed": true, "headers": {"x-tried": "yes"}, "response_headers_to_add": {"x-added": "yes"}} if path == "allowed"

decision := {"allowed": false, "http_status": 404, "reasons": ["not today"]} if path == "denied"

decision := 7 if path == "malformed"

decision := {"allowed": true, "surprise": 1} if path == "unknown-key"

decision := {"allowed": true, "headers": {"bad name": "x"}} if path == "bad-obligation"

decision := true if path == "conflict"

decision := false if path == "conflict"

decision := count([x | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); x := a * b]) > 0 if path == "endless"

decision := input.parsed_body.ok if path == "body"
`;

const TRIALS: readonly (readonly [path: string, fault: FaultCode | undefined])[] = [
  ['/allowed', undefined],
  ['/denied', 'policy_denied'],
  ['/nothing', 'policy_undefined'],
  ['/malformed', 'policy_result_invalid'],
  ['/unknown-key', 'policy_result_invalid'],
  ['/bad-obligation', 'policy_obligation_invalid'],
  ['/conflict', 'policy_conflict'],
];

test(
  'in shadow mode every answer of the policy lets the request pass, and the record says what would have been',
  { timeout: 90_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: TRIAL,
      mode: 'shadow',
    });
    const { sidecar } = system;
    const peer = await connectHttp1(context, system);

    for (const [path, code] of TRIALS) {
      await context.test(`${path}: ${code ?? 'allow'}`, async () => {
        const before = sidecar.records().length;
        const response = await get(peer, path);
        assert.equal(response.status, 200);
        assert.equal(
          response.headers.some(([name]) => name === 'x-added'),
          false,
          'no obligation of a trial',
        );
        const report = JSON.parse(response.body) as { headers: string[] };
        assert.equal(report.headers.includes('x-tried'), false);
        const [record, ...more] = await sidecar.recordsFrom(before, 1);
        assert.equal(record?.sallyport.mode, 'shadow');
        assert.equal(record.sallyport.verdict, code === undefined ? 'allow' : 'would-deny');
        assert.equal(record.sallyport.fault, code, record.sallyport.detail ?? '');
        assert.deepEqual([record.sallyport.outcome.kind, record.sallyport.outcome.status], ['forwarded', 200]);
        assert.deepEqual(more, []);
      });
    }

    await context.test(
      'an evaluation beyond its bounds passes too: policy_budget_exceeded or policy_memory_exceeded',
      async () => {
        const before = sidecar.records().length;
        assert.equal((await get(peer, '/endless')).status, 200);
        const [record] = await sidecar.recordsFrom(before, 1);
        assert.equal(record?.sallyport.verdict, 'would-deny');
        assert.match(record.sallyport.fault ?? '', /^policy_(budget|memory)_exceeded$/);
      },
    );

    await context.test('a body that cannot be read passes whole: body_malformed', async () => {
      const before = sidecar.records().length;
      const response = await post(peer, '/echo/body', 'application/json', '{"ok": tru');
      assert.deepEqual([response.status, response.body], [200, '{"ok": tru']);
      const [record] = await sidecar.recordsFrom(before, 1);
      assert.deepEqual([record?.sallyport.verdict, record?.sallyport.fault], ['would-deny', 'body_malformed']);
    });

    await context.test('a WebSocket stays open when the policy is replaced by one that denies all', async () => {
      const socket = await openWebSocket(context, system);
      await system.setPolicy({ rego: 'package test.authz\n\ndecision := false\n', revision: 'two' });
      await sidecar.until('the new revision', async () => {
        return (await sidecar.metric('sallyport_policy_info{bundle="policy",revision="two"}')) === 1;
      });
      socket.send('more');
      assert.equal(await socket.exactly(4), 'more');
    });

    await context.test(
      'what is no question of policy is refused as ever: identity and the form of the request',
      async () => {
        const before = sidecar.records().length;
        const stranger = createAuthority().issue();
        const closed = await connectRaw({ port: sidecar.port, tls: clientTls(system.authority, stranger, 'http/1.1') });
        closed.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        assert.equal(await closed.rest(), '');
        assert.equal((await get(peer, '/a/../b')).status, 400);
        const records = await sidecar.recordsFrom(before, 2);
        assert.deepEqual(
          records.map(({ sallyport }) => [sallyport.verdict, sallyport.fault]),
          [
            ['deny', 'peer_chain_untrusted'],
            ['deny', 'path_ambiguous'],
          ],
        );
      },
    );
  },
);
