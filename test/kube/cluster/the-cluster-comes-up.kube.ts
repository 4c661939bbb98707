import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../../support/until.ts';
import { theCluster } from '../cluster.ts';

test('the cluster of the tests', async (context) => {
  const cluster = theCluster();
  const namespace = await cluster.createNamespace(context);
  const serving = ['sh', '-c', 'mkdir /tmp/w; echo hello > /tmp/w/index.html; httpd -f -p 8080 -h /tmp/w'];
  const server = {
    name: 'app',
    image: cluster.images.busybox,
    command: serving,
    ports: [{ name: 'web', containerPort: 8080 }],
  };
  await cluster.apply(
    namespace,
    pod('server', { containers: [{ ...server, readinessProbe: { httpGet: { port: 'web' }, periodSeconds: 1 } }] }),
    pod('caller', { containers: [{ name: 'app', image: cluster.images.busybox }] }),
    pod('stranger', { containers: [{ name: 'app', image: cluster.images.busybox }] }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 'web' }] },
    },
  );
  const place = (name: string) => ({ namespace, pod: name });

  await context.test('pods get ready', async () => {
    for (const name of ['server', 'caller', 'stranger']) await cluster.podReady(namespace, name);
  });

  await context.test('pods reach each other, and the node reaches them', async () => {
    const { podIP } = (await cluster.pod(namespace, 'server')).status;
    const answer = await cluster.wget(place('caller'), `http://${podIP}:8080/`);
    assert.equal(answer.stdout, 'hello\n', answer.stderr);
    assert.equal(await (await fetch(`http://${podIP}:8080/`)).text(), 'hello\n');
  });

  await context.test('a Service is found by its name, short and long', async () => {
    for (const host of ['web', `web.${namespace}`, `web.${namespace}.svc.cluster.local`]) {
      const answer = await until('the service', async () => {
        const result = await cluster.wget(place('caller'), `http://${host}/`);
        return result.code === 0 ? result : undefined;
      });
      assert.equal(answer.stdout, 'hello\n');
    }
    const unknown = await cluster.wget(place('caller'), 'http://nobody/');
    assert.match(unknown.stderr, /bad address/);
  });

  await context.test('the API server is reached by its Service, with the token of a pod', async () => {
    const account = '/var/run/secrets/kubernetes.io/serviceaccount';
    const script = [
      `const authorization = 'Bearer ' + require('fs').readFileSync('${account}/token', 'utf8');`,
      `const say = async (answer) => console.log(answer.status, await answer.text());`,
      `fetch('https://kubernetes.default.svc/apis', { headers: { authorization } }).then(say);`,
    ];
    const env = [{ name: 'NODE_EXTRA_CA_CERTS', value: `${account}/ca.crt` }];
    const container = { name: 'app', image: cluster.images.node, env, command: ['node', '-e', script.join('\n')] };
    await cluster.apply(namespace, pod('client', { restartPolicy: 'Never', containers: [container] }));
    await cluster.phase(namespace, 'client', 'Succeeded');
    assert.match(await cluster.logs(place('client')), /^200 .*"APIGroupList"/);
  });

  await context.test('a NetworkPolicy lets in whom it names, and nobody else', async () => {
    const { podIP } = (await cluster.pod(namespace, 'server')).status;
    const url = `http://${podIP}:8080/`;
    assert.equal((await cluster.wget(place('stranger'), url)).code, 0);
    const from = [{ podSelector: { matchLabels: { app: 'caller' } } }];
    const spec = { podSelector: { matchLabels: { app: 'server' } }, ingress: [{ from, ports: [{ port: 'web' }] }] };
    await cluster.apply(namespace, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'one' },
      spec,
    });
    await until('the stranger to be kept out', async () => (await cluster.wget(place('stranger'), url)).code !== 0);
    assert.equal((await cluster.wget(place('caller'), url)).stdout, 'hello\n');
    assert.equal((await fetch(url)).status, 200);
    await cluster.kubectl(['-n', namespace, 'delete', 'networkpolicy', 'one']);
    await until('the stranger to be let in', async () => (await cluster.wget(place('stranger'), url)).code === 0);
  });

  await context.test('a Job with a native sidecar completes', async () => {
    const sidecar = {
      name: 'sidecar',
      image: cluster.images.busybox,
      restartPolicy: 'Always',
      command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'],
    };
    const template = {
      spec: {
        restartPolicy: 'Never',
        initContainers: [sidecar],
        containers: [
          { name: 'app', image: cluster.images.node, command: ['node', '-e', 'console.log(process.version)'] },
        ],
      },
    };
    await cluster.apply(namespace, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: { template },
    });
    await cluster.jobDone(namespace, 'once');
    assert.match(await cluster.logs({ namespace, pod: 'job/once', container: 'app' }), /^v26\./);
  });

  await context.test('the image of the product runs as it is', async () => {
    const securityContext = {
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const container = { name: 'app', image: cluster.images.sallyport, args: ['version'], securityContext };
    await cluster.apply(namespace, pod('version', { restartPolicy: 'Never', containers: [container] }));
    await cluster.phase(namespace, 'version', 'Succeeded');
    assert.match(await cluster.logs(place('version')), /^sallyport \d/);
  });

  await context.test('a pod that is deleted goes within its grace', async () => {
    await cluster.kubectl(['-n', namespace, 'delete', 'pod', 'server', '--timeout=20s']);
  });
});

function pod(name: string, spec: object): object {
  const metadata = { name, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { terminationGracePeriodSeconds: 1, ...spec } };
}
