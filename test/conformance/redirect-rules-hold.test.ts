import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { redirectRules } from '../../src/core/injection/redirect-rules.ts';
import { commandPath } from '../support/commands.ts';

import type { RedirectPlan } from '../../src/core/injection/redirect-plan.ts';

const run = promisify(execFile);
const PROGRAMS = join(import.meta.dirname, '..', 'support', 'programs');

const PLAN: RedirectPlan = {
  uid: 61_337,
  inbound: [{ port: 8080, to: 15_100 }],
  open: [5_353],
  probe: 15_020,
  outbound: { capture: 'all', ports: [], to: 15_001, excludePorts: [4_433], excludeCidrs: [] },
};

/**
 * The pod (10.9.0.1) and another one (10.9.0.2) with a cable between them; `$OTHER` runs a command in the other. Each has `udp-echo.cjs` at the ports of the
 * test, and `$SAY HOST/PORT…` tells who answered.
 */
const TWO_PODS = `set -e
  unshare --net sleep 40 & OTHER_PID=$!
  trap 'kill $OTHER_PID $SERVERS 2>/dev/null' EXIT
  until [ "$(readlink /proc/$OTHER_PID/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  OTHER="nsenter --target $OTHER_PID --net"
  ip link set lo up
  ip link add pod type veth peer name other netns $OTHER_PID
  ip address add 10.9.0.1/24 dev pod && ip link set pod up
  $OTHER ip address add 10.9.0.2/24 dev other && $OTHER ip link set other up
  listening() { until [ -s "$1" ]; do sleep 0.02; done; rm "$1"; }
  MARK=$(mktemp)
`;

async function inTwoPods(script: string, plan: RedirectPlan = PLAN): Promise<string> {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    RULES: redirectRules(plan),
    ECHO: `${process.execPath} ${join(PROGRAMS, 'udp-echo.cjs')}`,
    SAY: `${process.execPath} ${join(PROGRAMS, 'udp-say.cjs')}`,
    HOLD: `${process.execPath} ${join(PROGRAMS, 'held-connection.cjs')}`,
  };
  const { stdout } = await run('unshare', ['--net', 'sh', '-c', `${TWO_PODS}\n${script}`], { env, timeout: 60_000 });
  return stdout;
}

async function obstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'not root: no network namespace can be made';
  const missing = ['nft', 'ip', 'unshare', 'nsenter', 'setpriv'].find((name) => commandPath(name) === undefined);
  if (missing !== undefined) return `there is no ${missing} on PATH`;
  const tried = await run('unshare', ['--net', 'nft', redirectRules(PLAN)]).catch((error: unknown) => error);
  return tried instanceof Error ? `this kernel lets nobody set rules here: ${tried.message}` : undefined;
}

const reason = await obstacle();
const options = { skip: reason === undefined ? false : `SKIPPED, the redirection is not tested here: ${reason}` };

test('nft takes the rules of every capture, with what is left open and excluded and without', options, async () => {
  for (const capture of ['none', 'declared', 'all'] as const) {
    for (const excludeCidrs of [[], ['10.0.0.0/8', '192.168.1.1/32', 'fd00::/8', '::1/128']]) {
      const outbound = { ...PLAN.outbound, capture, ports: [80, 8080], excludeCidrs };
      for (const open of [[], [22, 9100]]) {
        const rules = redirectRules({ ...PLAN, outbound, open, metrics: 15_000 });
        await run('unshare', ['--net', 'nft', '--check', rules]);
      }
    }
  }
});

test('UDP: what is left open arrives, anything else of it does not, and answers do', options, async () => {
  const out = await inTwoPods(`
    $ECHO pod 5353 8080 9999 > $MARK & SERVERS="$SERVERS $!"; listening $MARK
    $OTHER $ECHO other 53 443 4433 > $MARK & SERVERS="$SERVERS $!"; listening $MARK
    nft "$RULES"
    $OTHER $SAY 10.9.0.1/5353 10.9.0.1/8080 10.9.0.1/9999`);
  assert.deepEqual(JSON.parse(out), {
    '10.9.0.1/5353': 'pod:5353',
    '10.9.0.1/8080': 'nobody',
    '10.9.0.1/9999': 'nobody',
  });
});

test(
  'with all calls captured UDP does not leave, but for names, for what is excluded, and of the sidecar',
  options,
  async () => {
    const servers = `
    $OTHER $ECHO other 53 443 4433 > $MARK & SERVERS="$SERVERS $!"; listening $MARK
    nft "$RULES"`;
    const targets = '10.9.0.2/53 10.9.0.2/443 10.9.0.2/4433';
    const agent = await inTwoPods(`${servers}\n$SAY ${targets}`);
    assert.deepEqual(JSON.parse(agent), {
      '10.9.0.2/53': 'other:53',
      '10.9.0.2/443': 'nobody',
      '10.9.0.2/4433': 'other:4433',
    });
    const sidecar = await inTwoPods(`${servers}\nsetpriv --reuid 61337 --clear-groups $SAY ${targets}`);
    assert.deepEqual(JSON.parse(sidecar), {
      '10.9.0.2/53': 'other:53',
      '10.9.0.2/443': 'other:443',
      '10.9.0.2/4433': 'other:4433',
    });
  },
);

test('a connection that is open goes on while the rules are set again', options, async () => {
  const out = await inTwoPods(`
    $HOLD serve 15100 > $MARK & SERVERS="$SERVERS $!"; listening $MARK
    nft "$RULES"
    PIPE=$(mktemp -u) && mkfifo $PIPE
    exec 3<>$PIPE
    $OTHER $HOLD call 10.9.0.1 8080 < $PIPE > $MARK & CALLER=$!
    until grep -q open $MARK; do sleep 0.02; done
    nft "$RULES"
    echo again >&3
    until grep -q again $MARK; do sleep 0.02; done
    exec 3>&-
    kill $CALLER
    cat $MARK; rm $MARK $PIPE`);
  assert.equal(out, 'open\nagain\n');
});
