import { isLoopback, parseListen, parseUpstream, staysOnThisMachine } from './addresses.ts';
import { identityFindings } from './identity-checks.ts';
import { managementFindings } from './management-checks.ts';
import { probeFindings } from './probe-checks.ts';
import { at, isTrue, items, parsed } from './raw-values.ts';

import type { ListenAddress } from './addresses.ts';
import type { ConfigPath, Finding } from './mistake.ts';

/**
 * What no single key shows. Works on the values as they were read, whatever else is wrong with them, so that these mistakes are
 * reported together with those of the schema.
 */
export function crossChecks(root: unknown): readonly Finding[] {
  return [
    ...identityFindings(at(root, 'identity')),
    ...nothingToDo(root),
    ...items(at(root, 'inbound')).flatMap((entry, index) => upstreamFindings(entry, index)),
    ...listenFindings(root),
    ...items(at(root, 'outbound')).flatMap((entry, index) => outboundFindings(entry, index)),
    ...adminFindings(at(root, 'admin')),
    ...probeFindings(at(root, 'probes')),
    ...managementFindings(root),
  ];
}

/** An agent is called, or calls, or both. */
function nothingToDo(root: unknown): Finding[] {
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return [];
  const [inbound, outbound] = [at(root, 'inbound'), at(root, 'outbound')];
  return isNoList(inbound) && isNoList(outbound)
    ? [{ path: ['inbound'], expected: 'a list of listeners, at least 1 here or in outbound' }]
    : [];
}

function isNoList(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

function upstreamFindings(entry: unknown, index: number): Finding[] {
  const upstream = parsed(at(entry, 'upstream'), parseUpstream);
  if (upstream === undefined || staysOnThisMachine(upstream)) return [];
  if (isTrue(at(entry, 'unsafeUpstreamBeyondLoopback'))) return [];
  return [
    {
      path: ['inbound', index, 'upstream'],
      expected: 'an upstream on loopback or a unix socket',
      hint: 'an agent that other machines can reach is reached past its sidecar; unsafeUpstreamBeyondLoopback: true allows it',
    },
  ];
}

function adminFindings(admin: unknown): Finding[] {
  const address = parsed(at(admin, 'listen'), parseListen);
  if (address === undefined || isLoopback(address.host) || isTrue(at(admin, 'unsafeBeyondLoopback'))) return [];
  const hint = 'the admin listener asks nobody who they are; unsafeBeyondLoopback: true allows it';
  return [{ path: ['admin', 'listen'], expected: 'an address on loopback', hint }];
}

/** Whoever reaches this listener calls in the name of the agent. */
function outboundFindings(entry: unknown, index: number): Finding[] {
  const findings: Finding[] = [];
  const address = parsed(at(entry, 'listen'), parseListen);
  if (address !== undefined && !isLoopback(address.host) && !isTrue(at(entry, 'unsafeBeyondLoopback'))) {
    const hint = 'whoever reaches it calls in the name of this agent; unsafeBeyondLoopback: true allows it';
    findings.push({ path: ['outbound', index, 'listen'], expected: 'an address on loopback', hint });
  }
  const seen = new Set<string>();
  const destinations = at(entry, 'destinations');
  const names = typeof destinations === 'object' && destinations !== null ? Object.keys(destinations) : [];
  for (const name of names) {
    const isTwice = seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    if (isTwice)
      findings.push({ path: ['outbound', index, 'destinations', name], expected: 'each host once, in any case' });
  }
  return findings;
}

/** Two listeners on one address and port: the second could not be opened. Port 0 is always another port. */
function listenFindings(root: unknown): Finding[] {
  const listeners = [
    ...items(at(root, 'inbound')).map((entry, index) => ({ path: ['inbound', index, 'listen'] as ConfigPath, entry })),
    ...items(at(root, 'outbound')).map((entry, index) => ({
      path: ['outbound', index, 'listen'] as ConfigPath,
      entry,
    })),
    { path: ['admin', 'listen'] as ConfigPath, entry: at(root, 'admin') },
    { path: ['probes', 'listen'] as ConfigPath, entry: at(root, 'probes') },
  ];
  const findings: Finding[] = [];
  const taken: ListenAddress[] = [];
  for (const { path, entry } of listeners) {
    const address = parsed(at(entry, 'listen'), parseListen);
    if (address === undefined || address.port === 0) continue;
    if (taken.some((other) => collide(address, other))) {
      findings.push({ path, expected: 'an address that no other listener has' });
    } else taken.push(address);
  }
  return findings;
}

function collide(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port !== b.port) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

/** True where listening on `host` takes the port of `other` too; `::` takes IPv4 as well, which is how Node opens it. */
function covers(host: string, other: string): boolean {
  return host === '::' || (host === '0.0.0.0' && !other.includes(':'));
}
