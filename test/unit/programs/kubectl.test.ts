import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createKubectl } from '../../../src/io/programs/kubectl.ts';
import { fakeKubectl } from '../../support/fake-kubectl.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { FakeCluster } from '../../support/fake-kubectl.ts';

async function clientOf(context: TestContext, cluster: FakeCluster, kubeContext?: string) {
  const fake = await fakeKubectl(context, cluster);
  return { fake, client: createKubectl({ program: fake.program, context: kubeContext }, { env: {} }) };
}

const ONE = { namespace: 'agents', pod: 'one', port: 15_000 };

/** Whether a process is there; a zombie that was waited for is not. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('get gives the objects, and asks for JSON within a time', async (context) => {
  const { fake, client } = await clientOf(context, { get: { 'pods --namespace=a': { items: [] } } }, 'test');
  assert.deepEqual(await client.get(['pods', '--namespace=a']), { ok: true, value: { items: [] } });
  assert.deepEqual(await fake.calls(), ['--context=test get pods --namespace=a --output=json --request-timeout=30s']);
});

test('get tells what kubectl said, and what is no JSON', async (context) => {
  const { client } = await clientOf(context, { get: { pods: 'words' } });
  const refused = await client.get(['nodes']);
  assert.ok(!refused.ok);
  assert.match(refused.error.detail, /kubectl: ended with 1: Error from server \(NotFound\): get nodes$/);
  assert.deepEqual(await client.get(['pods']), {
    ok: false,
    error: { kind: 'failed', detail: 'kubectl printed no JSON' },
  });
});

test('no kubectl at all is told as such', async (context) => {
  const program = `${await tempFolder(context)}/kubectl`;
  const got = await createKubectl({ program }, { env: {} }).get(['pods']);
  assert.deepEqual(got, { ok: false, error: { kind: 'missing', detail: `${program}: there is no such program` } });
  const asked = await createKubectl({ program }, { env: {} }).ask(ONE, '/status');
  assert.equal(!asked.ok && asked.error.kind, 'missing');
});

test('ask forwards to the loopback port of one pod, and the forwarding ends with the answer', async (context) => {
  const { fake, client } = await clientOf(context, { get: {}, status: { 'agents/one:15000': { mode: 'enforce' } } });
  assert.deepEqual(await client.ask(ONE, '/status'), { ok: true, value: { mode: 'enforce' } });
  assert.deepEqual(await fake.calls(), ['port-forward --namespace=agents --address=127.0.0.1 pod/one :15000']);
  for (const pid of await fake.pids()) assert.equal(lives(pid), false);
});

test('a forwarding that is refused, a status that is not 200, and an answer that is no JSON or too long are faults, and nothing stays', async (context) => {
  const status = { 'agents/b:1': 503, 'agents/c:1': 'words', 'agents/d:1': JSON.stringify('x'.repeat(2_000_000)) };
  const { fake, client } = await clientOf(context, { get: {}, status });
  const ask = async (pod: string): Promise<string> => {
    const answer = await client.ask({ namespace: 'agents', pod, port: 1 }, '/status');
    return answer.ok ? 'an answer' : answer.error.detail;
  };
  assert.match(await ask('a'), /ended with 1: error: unable to forward port because pod is not running$/);
  assert.equal(await ask('b'), 'answered with status 503');
  assert.equal(await ask('c'), 'answered with no JSON');
  assert.equal(await ask('d'), 'answered with more than 1048576 bytes');
  for (const pid of await fake.pids()) assert.equal(lives(pid), false);
});
