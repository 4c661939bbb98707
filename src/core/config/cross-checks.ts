import { isLoopback, parseListen, parseUpstream, staysOnThisMachine } from './addresses.ts';
import { managementFindings } from './management-checks.ts';
import { at, isEmptyMap, isTrue, items, parsed } from './raw-values.ts';

import type { ListenAddress } from './addresses.ts';
import type { ConfigPath, Finding } from './mistake.ts';

/**
 * What no single key shows. Works on the values as they were read, whatever else is wrong with them, so that these mistakes are
 * reported together with those of the schema.
 */
export function crossChecks(root: unknown): readonly Finding[] {
  return [
    ...identityFindings(at(root, 'identity')),
    ...items(at(root, 'inbound')).flatMap((entry, index) => upstreamFindings(entry, index)),
    ...listenFindings(root),
    ...adminFindings(at(root, 'admin')),
    ...managementFindings(root),
    ...notYetFindings(root),
  ];
}

function identityFindings(identity: unknown): Finding[] {
  const source = at(identity, 'source') ?? 'files';
  if (identity === null || typeof identity !== 'object') return [];
  if (source === 'authority' || source === 'workload-api') {
    return [{ path: ['identity', 'source'], expected: 'files', hint: `"${source}" is not available in this version` }];
  }
  const needed = {
    certificate: 'the path of a PEM file with the certificate chain, leaf first',
    privateKey: 'the path of a PEM file with the private key',
    trustBundles: 'a map from trust domains to PEM files, at least one',
  };
  const findings: Finding[] = [];
  for (const [key, expected] of Object.entries(needed)) {
    const value = at(identity, key);
    if (value === undefined || isEmptyMap(value)) findings.push({ path: ['identity', key], expected });
  }
  for (const key of ['authority', 'workloadApi']) {
    if (at(identity, key) !== undefined) {
      findings.push({ path: ['identity', key], expected: 'no such key with `source: files`' });
    }
  }
  return findings;
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

/** Two listeners on one address and port: the second could not be opened. Port 0 is always another port. */
function listenFindings(root: unknown): Finding[] {
  const listeners = [
    ...items(at(root, 'inbound')).map((entry, index) => ({ path: ['inbound', index, 'listen'] as ConfigPath, entry })),
    { path: ['admin', 'listen'] as ConfigPath, entry: at(root, 'admin') },
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

/** Parts of the contract that a later version brings: accepted in form, refused by name. */
function notYetFindings(root: unknown): Finding[] {
  const findings: Finding[] = [];
  if (items(at(root, 'outbound')).length > 0) {
    const hint = "the agent's own calls are not available in this version";
    findings.push({ path: ['outbound'], expected: 'no listeners', found: 'a list', hint });
  }
  return findings;
}
