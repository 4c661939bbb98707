import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { allowing, startControlledSystem, TOKEN } from '../support/controlled-system.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get, post } from '../support/system-clients.ts';
import { ALLOW_ALL, policyBundle, startSystem, type System } from '../support/system.ts';

const PATH = '/bundles/agents';
const NEXT = '/bundles/next';

/** Would refuse or fail in a different way for each path. */
const TRIAL = `package test.authz

path := input.parsed_path[0]

decision := true if path == "allowed"

decision := {"allowed": false, "reasons": ["not today"]} if path == "denied"

decision := 7 if path == "malformed"

decision := count([x | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); x := a * b]) > 0 if path == "endless"

decision := input.parsed_body.ok if path == "echo"
`;

const DENY_ALL = 'package test.authz\n\ndecision := false\n';

async function onTrial({ sidecar }: System, series: string, value: number | 'gone' = 1): Promise<void> {
  await sidecar.until(series, async () => ((await sidecar.metric(series)) ?? 'gone') === value);
}

async function candidateOf(system: System, before: number) {
  const [record] = await system.sidecar.recordsFrom(before, 1);
  return record?.sallyport;
}

test(
  'a candidate in a file comes, is tried, changes and goes, and no answer depends on it',
  { timeout: 90_000 },
  async (context: TestContext) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: { rego: ALLOW_ALL, revision: 'now' },
      policyKeys: { candidate: { bundle: 'next.tar.gz' } },
      limits: { inspectedBodyBytes: '4KiB' },
    });
    const { sidecar } = system;
    const peer = await connectHttp1(context, system);
    assert.equal((await get(peer, '/denied')).status, 200);
    assert.equal((await candidateOf(system, 0))?.candidate, undefined);

    await system.replace('next.tar.gz', await policyBundle({ rego: TRIAL, revision: 'next' }));
    await onTrial(system, 'sallyport_candidate_info{bundle="next",revision="next"}');
    const faults: readonly (readonly [path: string, fault: RegExp | undefined])[] = [
      ['/allowed', undefined],
      ['/denied', /^policy_denied$/],
      ['/nothing', /^policy_undefined$/],
      ['/malformed', /^policy_result_invalid$/],
      ['/endless', /^policy_(budget|memory)_exceeded$/],
    ];
    for (const [path, fault] of faults) {
      await context.test(path, async () => {
        const before = sidecar.records().length;
        assert.equal((await get(peer, path)).status, 200);
        const said = await candidateOf(system, before);
        assert.equal(said?.verdict, 'allow');
        assert.equal(said.candidate?.revision, 'next');
        assert.deepEqual(
          [said.candidate.verdict, said.candidate.differs],
          fault === undefined ? ['allow', false] : ['deny', true],
        );
        if (fault !== undefined) assert.match(said.candidate.fault ?? '', fault);
        if (path === '/denied') assert.deepEqual(said.candidate.reasons, ['not today']);
      });
    }

    await context.test('bodies that only the candidate reads arrive whole, whatever they are', async () => {
      for (const [body, verdict, fault] of [
        ['{"ok": true}', 'allow', undefined],
        ['{"ok": false}', 'deny', 'policy_denied'],
        ['{"ok": tru', 'deny', 'body_malformed'],
        [`{"ok": "${'x'.repeat(100_000)}"}`, 'deny', 'body_too_large'],
      ] as const) {
        const before = sidecar.records().length;
        const response = await post(peer, '/echo/body', 'application/json', body);
        assert.deepEqual([response.status, response.body], [200, body]);
        const said = await candidateOf(system, before);
        assert.deepEqual([said?.verdict, said?.candidate?.verdict, said?.candidate?.fault], ['allow', verdict, fault]);
      }
    });

    await context.test('a candidate that is no good is a problem, and changes nothing', async () => {
      await system.replace('next.tar.gz', 'no bundle');
      await onTrial(system, 'sallyport_source_problem{kind="candidate"}');
      assert.equal((await get(peer, '/denied')).status, 200);
      const { text } = await sidecar.admin('/status');
      const status = JSON.parse(text) as {
        policy: { candidate: { revision: string; problem: string } };
        problems: string[];
      };
      assert.equal(status.policy.candidate.revision, 'next');
      assert.match(status.problems.join(), /^candidate: .*next\.tar\.gz/);
      assert.equal((await sidecar.admin('/readyz')).status, 200);
    });

    await context.test('it goes: the record says nothing of one any more', async () => {
      await rm(join(system.folder, 'next.tar.gz'));
      await onTrial(system, 'sallyport_source_problem{kind="candidate"}', 0);
      await onTrial(system, 'sallyport_candidate_info{bundle="next",revision="next"}', 'gone');
      const before = sidecar.records().length;
      assert.equal((await get(peer, '/denied')).status, 200);
      assert.equal((await candidateOf(system, before))?.candidate, undefined);
    });

    assert.equal(await sidecar.metric('sallyport_candidate_decisions_total{verdict="allow",differs="false"}'), 2);
    assert.equal(await sidecar.stop(), 0);
  },
);

test(
  'a server offers a candidate and withdraws it; the policy in force decides all the while, and /status tells',
  { timeout: 90_000 },
  async (context) => {
    const {
      server,
      system,
      get: ask,
    } = await startControlledSystem(context, {
      first: await policyBundle(allowing('a', 'now')),
      config: (at) => ({
        bundle: at.url(PATH),
        candidate: { bundle: at.url(NEXT) },
        bundleServer: { trustBundle: 'control.pem', token: TOKEN, minDelay: '100ms', maxDelay: '200ms' },
      }),
    });
    const { sidecar } = system;
    server.faults.set(NEXT, { kind: 'status', status: 404 });
    await onTrial(system, 'sallyport_candidate_info{bundle="next",revision="now"}', 'gone');
    assert.equal(await ask('/a'), 200);
    server.faults.set(NEXT, { kind: 'status', status: 404 });
    assert.equal(await sidecar.metric('sallyport_source_problem{kind="candidate"}'), 0, 'none is no problem');

    // The server has one bundle for all paths: the policy in force keeps its own while its path is out of order.
    server.faults.set(PATH, { kind: 'status', status: 503 });
    server.offer(await policyBundle({ rego: DENY_ALL, revision: 'next' }));
    server.faults.delete(NEXT);
    await onTrial(system, 'sallyport_candidate_info{bundle="next",revision="next"}');
    const before = sidecar.records().length;
    assert.deepEqual([await ask('/a'), await ask('/b')], [200, 403]);
    const records = await sidecar.recordsFrom(before, 2);
    assert.deepEqual(
      records.map(({ bundles, sallyport }) => [
        bundles['agents']?.revision,
        sallyport.candidate?.revision,
        sallyport.candidate?.differs,
      ]),
      [
        ['now', 'next', true],
        ['now', 'next', false],
      ],
    );
    const status = JSON.parse((await sidecar.admin('/status')).text) as {
      policy: { revision: string; candidate: { revision: string } };
      identity: { id: string };
    };
    assert.deepEqual([status.policy.revision, status.policy.candidate.revision], ['now', 'next']);
    assert.equal(status.identity.id, 'spiffe://example.org/agent');
    assert.ok(!JSON.stringify(status).includes(TOKEN));

    server.faults.set(NEXT, { kind: 'status', status: 404 });
    await onTrial(system, 'sallyport_candidate_info{bundle="next",revision="next"}', 'gone');
    assert.equal(await ask('/a'), 200);
  },
);
