/**
 * `node test/bench/peers/targets/check.ts [TARGET…]`: starts each target under each policy that it can enforce, which is where it is seen to allow and to
 * refuse, then sends it a moment of each protocol. One line each; for whoever works on a target, `npm run bench:peers` measures.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeIdentities } from '../identities.ts';
import { runLoad } from '../load-job.ts';
import { canPin, memoryOf } from '../machine.ts';
import type { PolicyName, RunningTarget, Target, World } from '../target.ts';
import { startUpstream } from '../upstream.ts';
import { ALL } from './all.ts';

const POLICIES: readonly PolicyName[] = ['rbac', 'json-body', 'rules-10', 'rules-1000'];
const SECONDS = 1;
const PROTOCOLS = [
  { protocol: 'http1', connections: 32, method: 'GET', path: '/api/v1/catalog/items' },
  { protocol: 'http2', connections: 8, method: 'GET', path: '/api/v1/catalog/items' },
  { protocol: 'grpc', connections: 8, method: 'POST', path: '/bench.Echo/Unary' },
] as const;

const names = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-check-'));
const [pin, pinOther] = canPin()
  ? [
      ['taskset', '-c', '0'],
      ['taskset', '-c', '1'],
    ]
  : [[], []];
const upstream = await startUpstream(pinOther);
try {
  await writeIdentities(folder);
  const world: World = { folder, upstream: upstream.ports, pin };
  for (const target of ALL.filter(({ id }) => names.length === 0 || names.includes(id))) await check(world, target);
} finally {
  await upstream.stop();
  await rm(folder, { recursive: true, force: true });
}

async function check(world: World, target: Target): Promise<void> {
  try {
    console.log(`${target.id}: ${await target.version()}`);
  } catch (error) {
    console.log(`${target.id}: cannot be had: ${(error as Error).message}`);
    return;
  }
  const policies = target.judge === 'nothing' ? POLICIES.slice(0, 1) : POLICIES;
  for (const policy of policies) {
    const reason = target.cannot(policy);
    console.log(`  ${policy}: ${reason ?? (await tried(world, target, policy))}`);
  }
}

async function tried(world: World, target: Target, policy: PolicyName): Promise<string> {
  let running: RunningTarget | undefined;
  try {
    running = await target.start(world, policy);
    const said = [`ready in ${running.readyMs.toFixed(0)} ms`];
    for (const each of policy === 'rbac' ? PROTOCOLS : []) {
      // Not every target speaks every protocol.
      said.push(await moment(world, running, each).catch((error: Error) => `${each.protocol}: ${error.message}`));
    }
    return [...said, `${memoryOf(running.pids).rssMiB.toFixed(0)} MiB`].join('; ');
  } catch (error) {
    process.exitCode = 1;
    return `WRONG: ${(error as Error).message}`;
  } finally {
    await running?.stop();
  }
}

async function moment(
  world: World,
  { pids, port }: RunningTarget,
  { protocol, connections, method, path }: (typeof PROTOCOLS)[number],
): Promise<string> {
  const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => join(world.folder, name)) as [
    string,
    string,
    string,
  ];
  const identity = { address: `127.0.0.1:${port}`, serverName: 'localhost', ca, cert, key };
  const shape = { protocol, connections, streams: protocol === 'http1' ? 1 : 4, requests: [{ method, path }] };
  const times = { warmupSeconds: 1, seconds: SECONDS, pids, helpers: [upstream.pid] };
  const result = await runLoad({ ...identity, ...shape, ...times, loop: { kind: 'closed' } }, pinOther);
  const { requests, unexpected, failed, firstUnexpected, firstFailure, cpuMicrosPerRequest, otherLoad } = result;
  const wrong = unexpected + failed === 0 ? '' : ` (${unexpected + failed} WRONG: ${firstUnexpected ?? firstFailure})`;
  return `${protocol} ${requests} requests${wrong}, ${cpuMicrosPerRequest.toFixed(1)} us, ${(otherLoad * 100).toFixed(0)} % other load`;
}
