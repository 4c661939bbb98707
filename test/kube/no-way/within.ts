import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { askApi } from '../kube-api.ts';
import { SIDECAR_USER, type Guarded, type Rooms } from './rooms.ts';

/** With redirect capture: what an agent's container, and whoever may debug or change its pod, cannot undo. */
export async function nobodyUndoesIt(
  context: TestContext,
  { cluster }: Rooms,
  { namespace, pod }: Guarded,
): Promise<void> {
  const { name } = pod.metadata;
  const change = (...args: readonly string[]) => cluster.tryKubectl(['-n', namespace, ...args]);

  await context.test('a container of the agent has no nft, and with one, as root, no right to it', async () => {
    const missing = await cluster.exec({ namespace, pod: name, container: 'agent' }, ['nft', 'list', 'ruleset']);
    assert.match(missing.stderr, /executable file not found/);
    const burglar = { namespace, pod: name, container: 'burglar' };
    assert.equal((await cluster.exec(burglar, ['node', '-p', 'process.getuid()'])).stdout.trim(), '0');
    for (const command of [
      ['flush', 'ruleset'],
      ['delete', 'table', 'inet', 'sallyport'],
      ['list', 'ruleset'],
    ]) {
      const { code, stderr } = await cluster.exec(burglar, ['nft', ...command]);
      assert.notEqual(code, 0);
      assert.match(stderr, /Operation not permitted/);
    }
  });

  await context.test(
    'no container to debug with gets the power, the user or the processes of the sidecar',
    async () => {
      const image = cluster.images.busybox;
      const debug = async (...args: readonly string[]): Promise<string> =>
        (await change('debug', name, `--image=${image}`, ...args, '--', 'sleep', '1')).stderr;
      assert.match(
        await debug('--profile=netadmin'),
        /capabilities\.add\[0\]: a container with NET_ADMIN could undo the redirection/,
      );
      assert.match(await debug('--profile=sysadmin'), /securityContext\.privileged: a privileged container could undo/);
      assert.match(
        await debug('--target=sallyport'),
        /targetContainerName: inside the processes of sallyport its key could be read/,
      );
      const place = `/api/v1/namespaces/${namespace}/pods/${name}`;
      const current = (await askApi(cluster.api, { path: place })) as { readonly spec: object };
      const added = { name: 'debugger', image, securityContext: { runAsUser: SIDECAR_USER } };
      const body = { ...current, spec: { ...current.spec, ephemeralContainers: [added] } };
      const { status, json } = await cluster.call({ method: 'PUT', path: `${place}/ephemeralcontainers`, body });
      assert.equal(status, 403);
      assert.match(
        JSON.stringify(json),
        /ephemeralContainers\[0\]\.securityContext\.runAsUser: user 61337 is the sidecar's/,
      );
      // What kubectl takes where no profile is said (`general`) asks for SYS_PTRACE.
      assert.match(await debug(), /a container with SYS_PTRACE could/);
      assert.equal(await debug('--profile=baseline', '-c', 'harmless'), '');
    },
  );

  await context.test('its marks and its image stay', async () => {
    for (const args of [
      ['label', 'pod', name, 'sallyport.dev/injected-'],
      ['label', 'pod', name, 'sallyport.dev/inject=disabled'],
      ['annotate', 'pod', name, 'sallyport.dev/mode=shadow'],
      ['set', 'image', `pod/${name}`, `sallyport=${cluster.images.busybox}`],
      ['set', 'image', `pod/${name}`, `sallyport-redirect=${cluster.images.busybox}`],
    ])
      assert.match((await change(...args)).stderr, /stay as they are/, args.join(' '));
  });
}
