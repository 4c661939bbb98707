import { isIpv6Cidr } from './network.ts';

import type { RedirectPlan } from './redirect-plan.ts';

/** The table that holds the rules, of family inet. */
export const TABLE = 'sallyport';

/**
 * The rules of a plan as `nft -f -` takes them, in one transaction: an older table goes and the new one comes at the same moment, so that a second run
 * changes nothing and no packet finds the pod unguarded.
 *
 * Inbound: what comes for a port of the agent goes to the sidecar's; whatever else is not the sidecar's own, left open or an answer is dropped, also what is
 * sent to an address of the pod directly. Outbound: calls of everybody but the sidecar's user go to the sidecar as far as the plan says; names (DNS) and
 * loopback are left alone.
 */
export function redirectRules(plan: RedirectPlan): string {
  return [
    `add table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    `table inet ${TABLE} {`,
    ...chain('inbound', 'type nat hook prerouting priority dstnat; policy accept;', inboundRules(plan)),
    ...chain('arrived', 'type filter hook input priority filter; policy drop;', arrivalRules(plan)),
    ...outboundChains(plan),
    '}',
    '',
  ].join('\n');
}

function chain(name: string, head: string, rules: readonly string[]): readonly string[] {
  return [`  chain ${name} {`, `    ${head}`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function inboundRules({ inbound }: RedirectPlan): readonly string[] {
  return ['iifname "lo" accept', ...inbound.map(({ port, to }) => `tcp dport ${port} redirect to :${to}`)];
}

function arrivalRules({ inbound, open, probe, metrics }: RedirectPlan): readonly string[] {
  const own = [...inbound.map(({ to }) => to), probe, ...(metrics === undefined ? [] : [metrics])];
  return [
    'iifname "lo" accept',
    'ct state established,related accept',
    'meta l4proto { icmp, ipv6-icmp } accept',
    // The sidecar listens at 0.0.0.0: at the same port of the other family anybody else in the pod could, past identity and policy.
    `meta nfproto ipv4 tcp dport ${set(own)} accept`,
    ...(open.length === 0 ? [] : [`tcp dport ${set(open)} accept`, `udp dport ${set(open)} accept`]),
  ];
}

function outboundChains({ uid, outbound }: RedirectPlan): readonly string[] {
  const { capture, ports, to } = outbound;
  if (capture === 'none' || (capture === 'declared' && ports.length === 0)) return [];
  const what = capture === 'all' ? 'meta l4proto tcp' : `tcp dport ${set(ports)}`;
  const free = [...freeRules(uid), ...excludedRules(outbound)];
  // -100 is what nft calls dstnat; it takes the word at prerouting only.
  const head = 'type nat hook output priority -100; policy accept;';
  return [
    ...chain('outbound', head, [...free, `${what} redirect to :${to}`]),
    ...(capture === 'all'
      ? chain('left', 'type filter hook output priority filter; policy accept;', leftRules(free))
      : []),
  ];
}

/** Calls that are nobody's to capture: the sidecar's own, those that stay in the pod, and those for names. */
function freeRules(uid: number): readonly string[] {
  return [
    `meta skuid ${uid} accept`,
    'oifname "lo" accept',
    'ip daddr 127.0.0.0/8 accept',
    'ip6 daddr ::1 accept',
    'meta l4proto { tcp, udp } th dport 53 accept',
  ];
}

function excludedRules({ excludePorts, excludeCidrs }: RedirectPlan['outbound']): readonly string[] {
  const four = excludeCidrs.filter((cidr) => !isIpv6Cidr(cidr));
  const six = excludeCidrs.filter(isIpv6Cidr);
  return [
    ...(excludePorts.length === 0 ? [] : [`meta l4proto { tcp, udp } th dport ${set(excludePorts)} accept`]),
    ...four.map((cidr) => `ip daddr ${cidr} accept`),
    ...six.map((cidr) => `ip6 daddr ${cidr} accept`),
  ];
}

/** With everything captured, what is not TCP would still leave: QUIC is UDP. Answers and ICMP may go, which the network itself needs. */
function leftRules(free: readonly string[]): readonly string[] {
  return [
    ...free,
    'ct state established,related accept',
    'meta l4proto { icmp, ipv6-icmp } accept',
    'meta l4proto != tcp drop',
  ];
}

function set(ports: readonly number[]): string {
  return `{ ${[...new Set(ports)].toSorted((a, b) => a - b).join(', ')} }`;
}
