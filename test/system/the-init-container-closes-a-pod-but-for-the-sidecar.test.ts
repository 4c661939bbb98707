import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { commandPath } from '../support/commands.ts';

import type { RedirectPlan } from '../../src/core/injection/redirect-plan.ts';

const run = promisify(execFile);
const PROGRAMS = join(import.meta.dirname, '..', 'support', 'programs');
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

const PLAN: RedirectPlan = {
  uid: 61_337,
  inbound: [
    { port: 8080, to: 15_100 },
    { port: 9090, to: 15_101 },
  ],
  open: [22],
  probe: 15_020,
  metrics: 15_000,
  outbound: {
    capture: 'all',
    ports: [],
    to: 15_001,
    excludePorts: [443],
    excludeCidrs: ['10.0.0.0/9', '10.128.0.0/9', 'fd00::/8'],
  },
};

type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a shell script in a network namespace of its own; `$REDIRECT` in it is the command. */
async function inNamespace(script: string, plan: unknown = PLAN): Promise<Ran> {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    REDIRECT: `${process.execPath} ${MAIN} redirect`,
    LISTEN: `${process.execPath} ${join(PROGRAMS, 'port-names.cjs')}`,
    ASK: `${process.execPath} ${join(PROGRAMS, 'who-answers.cjs')}`,
    SALLYPORT_REDIRECT: typeof plan === 'string' ? plan : JSON.stringify(plan),
  };
  const ran = await run('unshare', ['--net', 'sh', '-c', script], { env, timeout: 60_000 }).catch(
    (error: unknown) => error,
  );
  const { code = 0, stdout, stderr } = ran as { code?: number; stdout: string; stderr: string };
  return { code, out: stdout, err: stderr };
}

/** Why this machine cannot run these tests; undefined where it can. */
async function obstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'not root: no network namespace can be made';
  if (commandPath('nft') === undefined) return 'there is no nft on PATH';
  const tried = await inNamespace(
    'nft "add table inet probe; add chain inet probe c { type nat hook prerouting priority -100; }"',
  );
  return tried.code === 0 ? undefined : `this kernel lets nobody set rules here: ${tried.err.trim()}`;
}

const reason = await obstacle();
const options = {
  skip: reason === undefined ? false : `SKIPPED, the rules of injected pods are not tested here: ${reason}`,
};

test('redirect: the rules of the plan stand, one line says what they do, exit 0', options, async () => {
  const { code, out, err } = await inNamespace('$REDIRECT && nft list table inet sallyport');
  assert.deepEqual([code, err], [0, '']);
  assert.match(
    out,
    /^inbound: 8080->15100 9090->15101, left open: 22, the rest closed; outbound: all TCP->15001; \d+ rules stand\n/,
  );
  for (const rule of ['tcp dport 8080 redirect to :15100', 'meta skuid 61337', 'policy drop'])
    assert.ok(out.includes(rule), rule);
});

test('redirect: a second run changes nothing', options, async () => {
  const { code, out } = await inNamespace(
    '$REDIRECT >&2 && nft list ruleset && echo ===== && $REDIRECT >&2 && nft list ruleset',
  );
  const [first, second] = out.split('=====\n');
  assert.equal(code, 0);
  assert.equal(first, second);
});

test('redirect: rules of others in the same table go, tables of others stay', options, async () => {
  const script = `nft "add table inet other; add table inet sallyport; add chain inet sallyport arrived { type filter hook input priority 0; }; add rule inet sallyport arrived accept"
    $REDIRECT && nft list ruleset`;
  const { code, out } = await inNamespace(script);
  assert.equal(code, 0);
  assert.ok(out.includes('table inet other'));
  assert.equal(/chain arrived \{[^}]*\n\s+accept\n/.test(out), false);
});

test('redirect: without NET_ADMIN it says what the init container lacks, exit 3', options, async () => {
  const { code, err } = await inNamespace('exec setpriv --inh-caps=-net_admin --bounding-set=-net_admin $REDIRECT');
  assert.equal(code, 3);
  assert.match(err, /the init container needs root and the capability NET_ADMIN.*or install with capture: plain/);
});

test('redirect: a plan that is none changes nothing, exit 2', options, async () => {
  for (const plan of [
    '',
    '{}',
    JSON.stringify({ ...PLAN, uid: '0; flush ruleset' }),
    JSON.stringify({ ...PLAN, more: 1 }),
  ]) {
    const { code, out, err } = await inNamespace('$REDIRECT; code=$?; nft list ruleset; exit $code', plan);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /^sallyport redirect: SALLYPORT_REDIRECT/);
  }
});

/**
 * Two network namespaces with a cable between them: this one is the pod (10.9.0.1, fd09::1), `$OTHER` runs a command in the other (10.9.0.2, fd09::2). In the pod
 * everything listens that is named, as the agent and the sidecar would.
 */
const TWO_PODS = `set -e
  unshare --net sleep 50 & OTHER_PID=$!
  trap 'kill $OTHER_PID $POD_SERVER $OTHER_SERVER 2>/dev/null' EXIT
  until [ "$(readlink /proc/$OTHER_PID/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  OTHER="nsenter --target $OTHER_PID --net"
  ip link set lo up
  ip link add pod type veth peer name other netns $OTHER_PID
  ip address add 10.9.0.1/24 dev pod && ip address add fd09::1/64 dev pod nodad && ip link set pod up
  $OTHER ip address add 10.9.0.2/24 dev other && $OTHER ip address add fd09::2/64 dev other nodad && $OTHER ip link set other up
  listening() { until [ -s "$1" ]; do sleep 0.02; done; rm "$1"; }
  MARK=$(mktemp)
  $LISTEN 22 8080 9090 9999 15000 15001 15020 15100 15101 > $MARK & POD_SERVER=$!
  listening $MARK
  NAME=other $OTHER $LISTEN 443 7777 > $MARK & OTHER_SERVER=$!
  listening $MARK
  $REDIRECT >&2
`;

async function answers(script: string, plan: unknown = PLAN): Promise<Readonly<Record<string, string>>> {
  const { code, out, err } = await inNamespace(`${TWO_PODS}\n${script}`, plan);
  assert.equal(code, 0, err);
  return JSON.parse(out) as Readonly<Record<string, string>>;
}

const withCable = {
  ...options,
  skip: commandPath('ip') === undefined && options.skip === false ? 'SKIPPED: there is no ip on PATH' : options.skip,
};

test(
  'from another pod: the guarded ports lead to the sidecar, what was left open is open, everything else is closed; over IPv6, where no sidecar listens, its ports too',
  withCable,
  async () => {
    const asked = ['22', '8080', '9090', '9999', '15000', '15001', '15020', '15100', '15101'];
    const targets = ['10.9.0.1', 'fd09::1'].flatMap((host) => asked.map((port) => `${host}/${port}`));
    const found = await answers(`$OTHER $ASK ${targets.join(' ')}`);
    const expected = { 22: 'pod:22', 8080: 'pod:15100', 9090: 'pod:15101', 9999: 'nobody', 15001: 'nobody' };
    for (const target of targets) {
      const [host, port = ''] = target.split('/');
      const overIpv4 = (expected as Readonly<Record<string, string>>)[port] ?? `pod:${port}`;
      // What listens in this test at a port of the sidecar's over IPv6 is what an agent could put there: the sidecar itself is at 0.0.0.0.
      assert.equal(found[target], host === '10.9.0.1' || port === '22' ? overIpv4 : 'nobody', target);
    }
  },
);

test('within the pod nothing is changed: the sidecar reaches the agent', withCable, async () => {
  const targets = ['127.0.0.1/8080', '::1/9090', '10.9.0.1/8080'];
  assert.deepEqual(await answers(`$ASK ${targets.join(' ')}`), {
    '127.0.0.1/8080': 'pod:8080',
    '::1/9090': 'pod:9090',
    '10.9.0.1/8080': 'pod:8080',
  });
});

test(
  "calls to others lead to the sidecar, but its own and what is excluded; the sidecar's are told by its user",
  withCable,
  async () => {
    const plan = { ...PLAN, outbound: { ...PLAN.outbound, excludeCidrs: [] } };
    const targets = ['10.9.0.2/7777', 'fd09::2/7777', '10.9.0.2/443'];
    assert.deepEqual(await answers(`$ASK ${targets.join(' ')}`, plan), {
      '10.9.0.2/7777': 'pod:15001',
      'fd09::2/7777': 'pod:15001',
      '10.9.0.2/443': 'other:443',
    });
    const own = await answers(`setpriv --reuid 61337 --clear-groups $ASK ${targets.join(' ')}`, plan);
    assert.deepEqual(own['10.9.0.2/7777'], 'other:7777');
    const declared = { ...plan, outbound: { ...plan.outbound, capture: 'declared', ports: [443], excludePorts: [] } };
    assert.deepEqual(await answers(`$ASK ${targets.join(' ')}`, declared), {
      '10.9.0.2/7777': 'other:7777',
      'fd09::2/7777': 'other:7777',
      '10.9.0.2/443': 'pod:15001',
    });
  },
);
