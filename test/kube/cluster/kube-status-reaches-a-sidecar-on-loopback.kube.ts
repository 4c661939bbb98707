import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { sidecarStatus } from '../../support/kube-objects.ts';
import { theCluster } from '../cluster.ts';

/** A pod as the injection leaves it, as far as `kube status` looks; its sidecar is a web server with one answer, on loopback. */
function pod(name: string, image: string, answer: object): object {
  const serving = `mkdir /tmp/w; printf %s "$STATUS" > /tmp/w/status; exec httpd -f -p 127.0.0.1:15000 -h /tmp/w`;
  const env = [
    { name: 'SALLYPORT_CONFIG', value: JSON.stringify({ admin: { listen: '127.0.0.1:15000' } }) },
    { name: 'STATUS', value: JSON.stringify(answer) },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      initContainers: [{ name: 'sallyport', image, restartPolicy: 'Always', command: ['sh', '-c', serving], env }],
      containers: [{ name: 'app', image }],
    },
  };
}

test('kube status asks each sidecar on its loopback port, by the real kubectl and kubelet', async (context) => {
  const cluster = theCluster();
  const namespace = await cluster.createNamespace(context);
  const image = cluster.images.busybox;
  const names = Array.from({ length: 10 }, (_, index) => `good-${index}`);
  const bad = sidecarStatus({ problems: ['policy: the bundle server is away'] });
  const pods = [...names.map((name) => pod(name, image, sidecarStatus())), pod('troubled', image, bad)];
  await cluster.apply(namespace, ...pods);
  for (const name of [...names, 'troubled']) await cluster.podReady(namespace, name);

  const env = Object.fromEntries(Object.entries(cluster.env).filter(([, value]) => value !== undefined));
  const { code, out, err } = await sallyport(
    ['kube', 'status', '-n', namespace, '--json'],
    env as Record<string, string>,
  );
  assert.equal(code, 1, err.join('\n'));
  const { pods: told } = JSON.parse(out.join('')) as {
    pods: { pod: string; problems: string[]; sidecar?: { revision: string } }[];
  };
  assert.equal(told.length, names.length + 1);
  for (const { pod: name, problems, sidecar } of told) {
    assert.equal(sidecar?.revision, 'rev-1', `${name}: ${problems.join('; ')}`);
    assert.deepEqual(problems, name === 'troubled' ? ['policy: the bundle server is away'] : []);
  }
});
