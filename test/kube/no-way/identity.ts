import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import { CLONE } from '../agents.ts';
import { askApi } from '../kube-api.ts';
import type { Guarded, Rooms } from './rooms.ts';

/** Where the thief has a token of its own for the authority. */
export const OWN_TOKEN = '/var/run/own/token';
const API_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** An identity stays with the pod that it was given to. */
export async function identitiesStay(context: TestContext, rooms: Rooms, { namespace, pod }: Guarded): Promise<void> {
  const { cluster, system, outside } = rooms;
  const trust = (await askApi(cluster.api, {
    path: `/api/v1/namespaces/${system}/configmaps/sallyport-trust`,
  })) as { readonly data: Readonly<Record<string, string>> };
  const thief = { namespace: outside, pod: 'deployment/thief', container: 'agent' };
  const read = async (place: typeof thief, path: string): Promise<string> => {
    const { code, stdout, stderr } = await cluster.exec(place, ['node', '-p', `fs.readFileSync('${path}', 'utf8')`]);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const enrol = async (token: string): Promise<string> => {
    const url = `https://sallyport-authority.${system}.svc:8444`;
    const id = 'spiffe://cluster.local/sallyport/authority';
    const command = ['node', `${CLONE}/test/kube/programs/enrol.ts`, url, id];
    const input = JSON.stringify({ roots: trust.data['roots.pem'], token });
    const { stdout, stderr } = await cluster.exec(thief, command, input);
    return `${stdout}${stderr}`.trim();
  };
  const refusals = async (): Promise<readonly Refusal[]> => {
    const log = await cluster.logs({ namespace: system, pod: 'statefulset/sallyport-authority' });
    const lines = log.split('\n').filter((line) => line.includes('a request to the authority was refused'));
    return lines.map((line) => JSON.parse(line) as Refusal);
  };

  await context.test('a pod gets the identity of its own service account, and that alone', async () => {
    assert.equal(await enrol(await read(thief, OWN_TOKEN)), `spiffe://cluster.local/ns/${outside}/sa/thief`);
  });

  await context.test(
    "a token that was copied from another pod is refused at this one's address, and written down",
    async () => {
      const stolen = await read(
        { namespace, pod: pod.metadata.name, container: 'sallyport' },
        '/var/run/secrets/sallyport/token',
      );
      assert.match(await enrol(stolen), /^refused: /);
      const refused = await until('the line', async () =>
        (await refusals()).find(({ reason }) => reason === 'pod_address'),
      );
      const [here] = await cluster.pods(outside, 'app=thief');
      assert.equal(refused.source, here?.status.podIP);
    },
  );

  await context.test('a token for another audience is refused', async () => {
    assert.match(await enrol(await read(thief, API_TOKEN)), /^refused: /);
    await until('the line', async () => (await refusals()).find(({ reason }) => reason === 'token_refused'));
  });
}

type Refusal = { readonly reason: string; readonly source: string; readonly detail: string };
