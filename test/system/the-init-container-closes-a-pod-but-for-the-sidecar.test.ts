import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { commandPath } from '../support/commands.ts';

import type { RedirectPlan } from '../../src/core/injection/redirect-plan.ts';

const run = promisify(execFile);
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
