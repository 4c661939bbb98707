import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';

import { COMPILER_BOUNDS, createNamespacePolicies } from '../../../src/app/policy-service.ts';
import { readBundle, type Bundle } from '../../../src/core/bundle/bundle.ts';
import { DROP_ENTRYPOINT } from '../../../src/core/model/policy.ts';
import type { PolicyService } from '../../../src/io/policy-service/policy-service.ts';
import type { PolicyWorld } from '../../../src/io/policy-service/settings.ts';
import { load } from '../../support/policy-host.ts';
import { answerOf } from '../../support/policy-parts.ts';

const ENTRYPOINT = 'sallyport/composed/decision';

async function serve(
  context: TestContext,
): Promise<{ service: PolicyService; get: (path: string) => Promise<Bundle> }> {
  const log = { info: () => undefined, warn: () => undefined };
  const service = createNamespacePolicies({ listen: { host: '127.0.0.1', port: 0 } }, { log });
  context.after(() => service.stop());
  const { port } = await service.start();
  const get = async (path: string): Promise<Bundle> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    assert.equal(response.status, 200, JSON.stringify([...service.problems()]));
    const bundle = readBundle(new Uint8Array(await response.arrayBuffer()));
    if (!bundle.ok) assert.fail(bundle.error.detail);
    return bundle.value;
  };
  return { service, get };
}

function policyOf({ module, planJson, dataJson }: Bundle) {
  assert.ok(module !== undefined && planJson !== undefined);
  const [plan, data] = [planJson, dataJson].map((text) => JSON.parse(text) as unknown);
  return load({ wasm: module.bytes, plan, data, entrypoint: ENTRYPOINT, bundles: {} });
}

const files = (content: Readonly<Record<string, string>>) => ({ files: new Map(Object.entries(content)) });

const WORLD: PolicyWorld = {
  platform: {
    ...files({
      'deny.rego': `package sallyport.platform

deny contains "strangers may not call" if data.kubernetes.segments[caller] == "strangers"

caller := input.sallyport.peer.spiffe_id
`,
      'log.rego': 'package system.log\n\ndrop if input.input.parsed_path[0] == "healthz"\n',
    }),
    library: true,
  },
  namespaces: new Map([
    [
      'agents',
      {
        policy: files({
          'data.json': JSON.stringify({
            fleet: {
              segments: {
                workers: {
                  functions: { '/**': { GET: 'read' } },
                  callers: { '*': {}, workers: { '*': true }, strangers: { '*': true } },
                },
              },
            },
          }),
        }),
        candidate: {
          ...files({ 'p.rego': 'package envoy.authz\n\ndefault allow := false\n' }),
          decision: 'envoy/authz/allow',
        },
      },
    ],
    ['empty', {}],
  ]),
  cluster: {
    trustDomain: 'example.org',
    namespaces: new Map([
      [
        'agents',
        {
          labels: { 'sallyport.dev/segment': 'workers' },
          serviceAccounts: new Map([['odd', { 'sallyport.dev/segment': 'strangers' }]]),
        },
      ],
    ]),
  },
};

const call = (account: string): unknown => ({
  parsed_path: ['x'],
  attributes: { request: { http: { method: 'GET' } } },
  sallyport: {
    subject: 'request',
    direction: 'inbound',
    peer: { spiffe_id: `spiffe://example.org/ns/agents/sa/${account}` },
    agent: { spiffe_id: 'spiffe://example.org/ns/agents/sa/worker' },
  },
});

test('a ConfigMap with data alone, the library, segments from labels and platform rules: one bundle that a sidecar can use', async (context) => {
  const { service, get } = await serve(context);
  service.update(WORLD);
  await service.settled();
  assert.deepEqual([...service.problems()], []);
  const bundle = await get('/v1/policy/agents');
  assert.deepEqual(bundle.module?.entrypoints, [ENTRYPOINT, DROP_ENTRYPOINT]);
  const policy = policyOf(bundle);
  assert.equal((answerOf(policy, call('worker')) as { allowed: boolean }).allowed, true);
  assert.deepEqual(answerOf(policy, call('odd')), { allowed: false, reasons: ['strangers may not call'] });
  const candidate = policyOf(await get('/v1/policy/agents/candidate'));
  assert.equal(answerOf(candidate, call('worker')), false);
  assert.deepEqual(answerOf(candidate, call('odd')), { allowed: false, reasons: ['strangers may not call'] });
  const empty = policyOf(await get('/v1/policy/empty'));
  assert.match(JSON.stringify(answerOf(empty, call('worker'))), /no policy for namespace empty/);
});

test('platform rules that read what a namespace writes, and Rego with an error in it: told with place and reason', async (context) => {
  const { service } = await serve(context);
  const reading = 'package sallyport.platform\n\ndeny contains "x" if data.fleet.closed\n';
  service.update({ ...WORLD, platform: files({ 'p.rego': reading }) });
  await service.settled();
  assert.match(
    service.problems().get('')?.join('\n') ?? '',
    /the platform rules read data\.fleet, which a namespace can write/,
  );
  service.update({
    ...WORLD,
    namespaces: new Map([['agents', { policy: files({ 'p.rego': 'package sallyport.authz\n\ndecision := trie\n' }) }]]),
  });
  await service.settled();
  assert.match(service.problems().get('agents')?.join('\n') ?? '', /namespace\/p\.rego:3:\d+: rego_unsafe_var_error/);
});

test('the memory that a namespace can have the compiler take leaves the injector enough in its container', () => {
  const values = readFileSync(new URL('../../../helm/sallyport/values.yaml', import.meta.url), 'utf8');
  const [, injector = ''] = /^injector:\n((?: .*\n|\n)*)/m.exec(values) ?? [];
  const [, gibibytes] = /^ {2}resources:\n.*\n {4}limits: \{ memory: (\d+)Gi \}/m.exec(injector) ?? [];
  // The compiler's process beside its instance, and the injector with all that it keeps.
  const [ofProcess, ofInjector] = [128 * 1_048_576, 384 * 1_048_576];
  assert.ok(COMPILER_BOUNDS.maxBytes + ofProcess + ofInjector <= Number(gibibytes) * 1_073_741_824);
  assert.ok(COMPILER_BOUNDS.deadlineMs <= 30_000, 'the others wait no longer than that for their turn');
});
