import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { until } from '../../support/until.ts';
import { CLONE, policy, PROGRAMS, workload } from '../agents.ts';
import { theCluster, type Cluster } from '../cluster.ts';
import { install, README_COMMANDS } from '../installed.ts';

test('one label, and every agent in the namespace has two gates', async (context) => {
  const cluster = theCluster();
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  assert.ok(readme.includes(`${README_COMMANDS.install}\n${README_COMMANDS.label}\n`));
  const installed = await install(cluster, context);
  const namespace = 'agents';
  await cluster.kubectl(['create', 'namespace', namespace]);
  context.after(() => cluster.tryKubectl(['delete', 'namespace', namespace, '--wait=false']));
  await cluster.kubectl(README_COMMANDS.label.split(' ').slice(1));
  await cluster.apply(namespace, policy(REGO), ...agents(cluster, namespace));

  await context.test('pods get ready, each with an identity of its namespace and service account', async () => {
    for (const name of ['tools', 'weather', 'stranger']) await cluster.rolledOut(namespace, `deployment/${name}`);
    await cluster.leadTo(namespace, 'tools', 'weather');
    const log = await cluster.logs({ namespace, pod: 'deployment/weather', container: 'sallyport' });
    assert.match(log, new RegExp(`spiffe://cluster.local/ns/${namespace}/sa/weather`));
  });

  const weather = `weather.${namespace}.svc:80`;
  const refusedEvents = ['-n', namespace, 'get', 'events', '--field-selector', 'reason=PolicyRefused'];
  const run = async (pod: string, program: string, ...args: readonly string[]): Promise<string> => {
    const place = { namespace, pod: `deployment/${pod}`, container: 'agent' };
    const answer = await cluster.exec(place, ['node', `${CLONE}/test/kube/programs/${program}`, ...args]);
    return `${answer.stdout}${answer.stderr}`.trim();
  };

  await context.test('the MCP server calls the gRPC agent, through both sidecars', async () => {
    assert.equal(await run('tools', 'call-grpc.ts', weather), '0');
    const [made] = await records(cluster, namespace, 'tools', 'outbound', 'allow');
    const [met] = await records(cluster, namespace, 'weather', 'inbound', 'allow');
    assert.equal(met?.sallyport.peer, `spiffe://cluster.local/ns/${namespace}/sa/tools`);
    assert.equal(met?.trace_id, made?.trace_id);
  });

  await context.test('and the gRPC agent a tool of the MCP server; another tool is denied', async () => {
    const url = `http://tools.${namespace}.svc/mcp`;
    assert.match(await run('weather', 'call-mcp.ts', url, 'echo', '{"message":"two gates"}'), /^ok .*two gates/);
    assert.match(await run('weather', 'call-mcp.ts', url, 'get-sum', '{"a":1,"b":2}'), /^failed .*403/);
  });

  await context.test('who is not allowed is denied, with a record', async () => {
    assert.match(await run('stranger', 'call-grpc.ts', weather), /^7 /);
    const denied = await records(cluster, namespace, 'weather', 'inbound', 'deny');
    assert.deepEqual(
      denied.map(({ sallyport }) => sallyport.fault),
      ['policy_denied'],
    );
  });

  await context.test('kube status shows each pod, and that nothing is wrong', async () => {
    const cli = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
    const args = [cli, 'kube', 'status', '-n', namespace, '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: cluster.env, timeout: 60_000 });
    const { pods } = JSON.parse(stdout) as { readonly pods: readonly Readonly<Record<string, unknown>>[] };
    assert.deepEqual(
      pods.map(({ injected }) => injected),
      ['yes', 'yes', 'yes'],
      stdout,
    );
    assert.match(stdout, /sha256:[0-9a-f]{64}/);
  });

  await context.test('helm test passes', async () => {
    await cluster.helm(['test', 'sallyport', '-n', installed.namespace, '--timeout', '60s']);
  });

  await context.test('another policy is in force without a restart', async () => {
    await cluster.apply(namespace, policy(REGO.replace('tools', 'stranger')));
    await until('the stranger to be let in', async () => {
      return (await run('stranger', 'call-grpc.ts', `weather.${namespace}.svc:80`)) === '0';
    });
    assert.match(await run('tools', 'call-grpc.ts', `weather.${namespace}.svc:80`), /^7 /);
  });

  await context.test('a policy that does not compile changes nothing, and an event says so', async () => {
    await cluster.apply(namespace, policy('package sallyport.authz\ndecision if {'));
    const events = ['-n', namespace, 'get', 'events', '--field-selector', 'reason=PolicyRefused', '-o', 'name'];
    await until('the event', async () => (await cluster.kubectl(events)) !== '');
    assert.equal(await run('stranger', 'call-grpc.ts', `weather.${namespace}.svc:80`), '0');
  });

  await context.test("the platform's rules go before the namespace's, which cannot declare them", async () => {
    await cluster.apply(namespace, policy(REGO));
    await until('the tools to be let in', async () => (await run('tools', 'call-grpc.ts', weather)) === '0');
    const deny =
      'package sallyport.platform\ndeny contains "closed by the platform" if input.sallyport.direction == "inbound"\n';
    await installed.upgrade({ policies: { platform: { files: { 'rules.rego': deny } } } });
    await until('the platform to deny', async () => (await run('tools', 'call-grpc.ts', weather)).startsWith('7 '));
    await until('the record', async () => {
      const last = (await records(cluster, namespace, 'weather', 'inbound', 'deny')).at(-1);
      return last?.sallyport.reasons?.join() === 'closed by the platform';
    });
    await cluster.apply(namespace, policy(REGO, 'sallyport-policy'), {
      ...policy(REGO),
      data: { 'policy.rego': REGO, 'mine.rego': 'package sallyport.platform\ndeny := set()\n' },
    });
    await until('it to be refused', async () => (await cluster.kubectl(refusedEvents)).includes('sallyport.platform'));
    assert.match(await run('tools', 'call-grpc.ts', weather), /^7 /);
  });

  await context.test('what one replica of the injector has told is not taken back by another', async () => {
    // Kubelets bring a changed ConfigMap to each pod in its own time: mostly one of them has the new rules, and the other is asked now.
    const injectors = await cluster.pods(installed.namespace, 'app.kubernetes.io/component=injector');
    const asked = injectors.map(async ({ metadata }) => {
      const log = await cluster.logs({ namespace: installed.namespace, pod: metadata.name, container: 'injector' });
      const served = log.split('\n').filter((line) => line.includes('policy served') && line.includes(namespace));
      return { name: metadata.name, changes: served.length };
    });
    const [ahead] = (await Promise.all(asked)).toSorted((one, other) => other.changes - one.changes);
    await cluster.kubectl(['-n', installed.namespace, 'delete', 'pod', ahead?.name ?? '', '--timeout=60s']);
    assert.deepEqual((await run('tools', 'call-grpc.ts', weather, '20')).match(/^7 /gm)?.length, 20);
    await cluster.rolledOut(installed.namespace, 'deployment/sallyport-injector');
    assert.deepEqual((await run('tools', 'call-grpc.ts', weather, '20')).match(/^7 /gm)?.length, 20);
  });

  await context.test('without the label the pod is plain again', async () => {
    await cluster.kubectl(['label', 'namespace', namespace, 'sallyport.dev/inject-']);
    await cluster.kubectl(['-n', namespace, 'rollout', 'restart', 'deployment/stranger']);
    await cluster.rolledOut(namespace, 'deployment/stranger');
    const plain = await until('the injected pod to be gone', async () => {
      const pods = await cluster.pods(namespace, 'app=stranger');
      return pods.length === 1 ? pods[0] : undefined;
    });
    assert.deepEqual(
      [plain.spec['initContainers'], plain.metadata.labels?.['sallyport.dev/injected']],
      [undefined, undefined],
    );
  });

  await context.test('uninstalled, nothing of it holds pods up', async () => {
    await cluster.kubectl(['label', 'namespace', namespace, 'sallyport.dev/inject=enabled']);
    await installed.uninstall();
    const left = await cluster.kubectl([
      'get',
      'mutatingwebhookconfigurations,validatingadmissionpolicies,clusterroles,clusterrolebindings',
      '-o',
      'name',
    ]);
    assert.doesNotMatch(left, /sallyport/);
    await cluster.kubectl(['-n', namespace, 'delete', 'pod', '-l', 'app=stranger', '--timeout=60s']);
    await cluster.rolledOut(namespace, 'deployment/stranger');
  });
});

const REGO = `package sallyport.authz

default decision := false

me := concat("/", array.slice(split(input.sallyport.agent.spiffe_id, "/"), 0, 6))

decision if input.sallyport.direction == "outbound"

decision if {
  input.sallyport.direction == "inbound"
  endswith(input.sallyport.peer.spiffe_id, "/sa/tools")
}

decision if {
  endswith(input.sallyport.peer.spiffe_id, "/sa/weather")
  not input.parsed_body.params.name == "get-sum"
}
`;

function agents(cluster: Cluster, namespace: string): readonly object[] {
  const to = (name: string) => ({
    [`${name}.${namespace}.svc:80`]: { id: `spiffe://cluster.local/ns/${namespace}/sa/${name}` },
  });
  const calls = (name: string) => ({ 'sallyport.dev/destinations': JSON.stringify(to(name)) });
  return [
    ...workload(cluster, {
      name: 'tools',
      args: PROGRAMS.mcp,
      ports: [{ containerPort: 8080 }],
      annotations: calls('weather'),
      container: { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
    }),
    ...workload(cluster, {
      name: 'weather',
      args: PROGRAMS.grpc,
      ports: [{ containerPort: 8080, name: 'grpc' }],
      annotations: calls('tools'),
      container: { readinessProbe: { tcpSocket: { port: 'grpc' }, periodSeconds: 1 } },
    }),
    ...workload(cluster, { name: 'stranger', args: PROGRAMS.idle, annotations: calls('weather') }),
  ];
}

type Line = {
  readonly trace_id?: string;
  readonly sallyport: {
    readonly direction: string;
    readonly verdict: string;
    readonly peer?: string;
    readonly fault?: string;
    readonly reasons?: readonly string[];
  };
};

/** The decision records of one gate with a verdict, once there are some: what the kubelet tells of a log is a moment late. */
function records(
  cluster: Cluster,
  namespace: string,
  name: string,
  direction: 'inbound' | 'outbound',
  verdict: 'allow' | 'deny',
): Promise<readonly Line[]> {
  return until(`a record of ${name}`, async () => {
    const log = await cluster.logs({ namespace, pod: `deployment/${name}`, container: 'sallyport' });
    const lines = log.split('\n').filter((line) => line.startsWith('{"decision_id"'));
    const all = lines.map((line) => JSON.parse(line) as Line);
    const found = all.filter(({ sallyport }) => sallyport.direction === direction && sallyport.verdict === verdict);
    return found.length > 0 ? found : undefined;
  });
}
