import { isLoopback } from './addresses.ts';
import { DELAYS } from './management-section.ts';
import { at, items, parsed } from './raw-values.ts';
import { parseBundleLocation, parseHttpUrl, registryOrigin, type ServedBundle } from './targets.ts';
import { parseDuration } from '../kernel/units.ts';

import type { ConfigPath, Finding } from './mistake.ts';

/** What no single key shows of bundle servers, decision-log receivers and status. Values as they were read. */
export function managementFindings(root: unknown): readonly Finding[] {
  return [
    ...bundleFindings(at(root, 'policy')),
    ...verificationFindings(at(at(root, 'policy'), 'verification')),
    ...items(at(root, 'journal')).flatMap((entry, index) => journalFindings(entry, ['journal', index])),
    ...statusFindings(at(root, 'status')),
  ];
}

function bundleFindings(policy: unknown): readonly Finding[] {
  const server = at(policy, 'bundleServer');
  const path = ['policy', 'bundleServer'] as const;
  const locations = [
    { at: ['policy', 'bundle'], location: parsed(at(policy, 'bundle'), parseBundleLocation) },
    {
      at: ['policy', 'candidate', 'bundle'],
      location: parsed(at(at(policy, 'candidate'), 'bundle'), parseBundleLocation),
    },
  ];
  const served = locations.flatMap(({ at: where, location }) =>
    location === undefined || location.kind === 'path' ? [] : [{ where, location, url: askedUrl(location, server) }],
  );
  if (served.length === 0 && locations[0]?.location !== undefined && server !== undefined) {
    return [
      { path, expected: 'no such key with a bundle that is a path', hint: 'it says how a bundle server is asked' },
    ];
  }
  const isSigned = at(policy, 'verification') !== undefined;
  const isHeld = served.some(({ location }) => location.kind === 'http');
  return served.flatMap(({ where, location, url }) => [
    ...(isOpenToAll(url) && !isSigned ? [openBundle(where)] : []),
    ...accessFindings(server, path, url),
    ...(location.kind === 'oci'
      ? registryFindings(server, path, isHeld)
      : [...loginFindings(server, path), ...peerFindings(server, path, url)]),
    ...delayFindings(server, path, DELAYS.bundleServer),
  ]);
}

/** What is asked there first: of a registry its own address. */
function askedUrl(location: ServedBundle, server: unknown): string {
  if (location.kind === 'http') return location.url;
  const configured = (key: string): string | undefined => (at(server, key) === undefined ? undefined : key);
  return registryOrigin(location.image, {
    trustBundle: configured('trustBundle'),
    certificate: configured('certificate') ?? configured('privateKey'),
  });
}

/** `isHeld`: the section speaks of a bundle server as well, beside the registry. */
function registryFindings(server: unknown, path: ConfigPath, isHeld: boolean): readonly Finding[] {
  const findings: Finding[] = [];
  if (at(server, 'peer') !== undefined)
    findings.push({
      path: [...path, 'peer'],
      expected: 'no such key with an oci:// URL',
      hint: 'a registry proves the name of its host; see trustBundle',
    });
  if (at(server, 'longPolling') !== undefined && !isHeld)
    findings.push({
      path: [...path, 'longPolling'],
      expected: 'no such key with an oci:// URL',
      hint: 'a registry holds no requests; minDelay and maxDelay say how often it is asked',
    });
  return findings;
}

function loginFindings(server: unknown, path: ConfigPath): readonly Finding[] {
  const token = at(server, 'token');
  if (typeof token !== 'string' || !token.includes(':')) return [];
  return [
    {
      path: [...path, 'token'],
      expected: 'a bearer token (RFC 6750 2.1)',
      hint: 'USER:PASSWORD is for registries (oci://)',
    },
  ];
}

function openBundle(path: ConfigPath): Finding {
  const hint =
    'over plain HTTP whoever is on the way chooses the policy: use https://, or sign bundles and set policy.verification';
  return { path, expected: 'an https:// URL', hint };
}

function verificationFindings(verification: unknown): readonly Finding[] {
  const keys = at(verification, 'keys');
  const named = typeof keys === 'object' && keys !== null && !Array.isArray(keys) ? Object.entries(keys) : [];
  const findings = named.flatMap(([id, key]) => keyFindings(key, ['policy', 'verification', 'keys', id]));
  if (keys !== undefined && named.length === 0) {
    findings.push({ path: ['policy', 'verification', 'keys'], expected: 'at least one key' });
  }
  const keyId = at(verification, 'keyId');
  if (typeof keyId === 'string' && named.length > 0 && !named.some(([id]) => id === keyId)) {
    findings.push({
      path: ['policy', 'verification', 'keyId'],
      expected: `one of ${named.map(([id]) => id).join(', ')}`,
    });
  }
  return findings;
}

function keyFindings(key: unknown, path: ConfigPath): Finding[] {
  const [file, secret, algorithm] = ['file', 'secret', 'algorithm'].map((name) => at(key, name));
  const isShared = typeof algorithm === 'string' && algorithm.startsWith('HS');
  if (file !== undefined && secret !== undefined)
    return [{ path: [...path, 'secret'], expected: 'either file or secret' }];
  if (secret !== undefined && !isShared) {
    return [
      {
        path: [...path, 'secret'],
        expected: `no such key with ${String(algorithm)}`,
        hint: 'a public key stands in a file',
      },
    ];
  }
  if (file === undefined && secret === undefined && typeof key === 'object') {
    return [
      {
        path: [...path, 'file'],
        expected: isShared ? 'the path of a file with the key, or secret' : 'the path of a file with the key',
      },
    ];
  }
  return [];
}

function journalFindings(entry: unknown, path: ConfigPath): readonly Finding[] {
  if (typeof entry === 'string') return openFindings(parsed(entry, parseHttpUrl), path);
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return [];
  const [to, url] = [at(entry, 'to'), at(entry, 'url')];
  if (to === undefined && url === undefined)
    return [{ path: [...path, 'to'], expected: 'stdout or file:PATH, or url' }];
  if (to === undefined) return receiverFindings(entry, path, DELAYS.receiver);
  const settings = Object.keys(entry).filter((key) => key !== 'to' && RECEIVER_KEYS.has(key));
  return settings.map((key) => ({
    path: [...path, key],
    expected: 'no such key beside `to`',
    hint: 'it belongs to a receiver, with url',
  }));
}

const RECEIVER_KEYS: ReadonlySet<string> = new Set([
  'url',
  'token',
  'tokenFile',
  'trustBundle',
  'certificate',
  'privateKey',
  'timeout',
  'minDelay',
  'maxDelay',
  'maxBytes',
]);

function statusFindings(status: unknown): readonly Finding[] {
  return status === undefined ? [] : receiverFindings(status, ['status'], DELAYS.status);
}

/** A section with `url`: records and status are nobody else's business, so nothing of them goes over plain HTTP. */
function receiverFindings(section: unknown, path: ConfigPath, delays: readonly [string, string]): readonly Finding[] {
  const url = parsed(at(section, 'url'), parseHttpUrl);
  if (url === undefined) return [];
  return [
    ...openFindings(url, [...path, 'url']),
    ...accessFindings(section, path, url),
    ...delayFindings(section, path, delays),
  ];
}

function openFindings(url: string | undefined, path: ConfigPath): readonly Finding[] {
  if (url === undefined || !isOpenToAll(url)) return [];
  return [
    {
      path,
      expected: 'an https:// URL',
      hint: 'over plain HTTP whoever is on the way reads what is sent; http:// is for loopback',
    },
  ];
}

function accessFindings(section: unknown, path: ConfigPath, url: string): readonly Finding[] {
  const has = (key: string): boolean => at(section, key) !== undefined;
  const findings: Finding[] = [];
  if (has('token') && has('tokenFile'))
    findings.push({ path: [...path, 'token'], expected: 'either token or tokenFile' });
  if (has('certificate') !== has('privateKey')) {
    const missing = has('certificate') ? 'privateKey' : 'certificate';
    findings.push({ path: [...path, missing], expected: 'both certificate and privateKey' });
  }
  if (url.startsWith('https:')) return findings;
  for (const key of ['trustBundle', 'certificate', 'privateKey'].filter(has)) {
    findings.push({ path: [...path, key], expected: 'no such key with an http:// URL', hint: 'there is no TLS' });
  }
  for (const key of ['token', 'tokenFile'].filter((key) => has(key) && isOpenToAll(url))) {
    findings.push({
      path: [...path, key],
      expected: 'no such key with an http:// URL',
      hint: 'whoever is on the way would have the token',
    });
  }
  return findings;
}

/** A server that proves a SPIFFE ID is judged by our trust bundles, and shown our own identity. */
function peerFindings(section: unknown, path: ConfigPath, url: string): readonly Finding[] {
  if (at(section, 'peer') === undefined) return [];
  if (!url.startsWith('https:')) {
    return [{ path: [...path, 'peer'], expected: 'no such key with an http:// URL', hint: 'there is no TLS' }];
  }
  const others = ['trustBundle', 'certificate', 'privateKey'].filter((key) => at(section, key) !== undefined);
  return others.map((key) => ({
    path: [...path, key],
    expected: 'no such key beside `peer`',
    hint: 'the server is judged by identity.trustBundles, and is shown our own identity',
  }));
}

function delayFindings(section: unknown, path: ConfigPath, [min, max]: readonly [string, string]): readonly Finding[] {
  const least = parsed(at(section, 'minDelay') ?? min, parseDuration);
  const most = parsed(at(section, 'maxDelay') ?? max, parseDuration);
  if (least === undefined || most === undefined || least <= most) return [];
  const key = at(section, 'minDelay') === undefined ? 'maxDelay' : 'minDelay';
  return [{ path: [...path, key], expected: 'a minDelay that is not above maxDelay' }];
}

/** True where a URL's requests can be read and changed on the way: plain HTTP to another machine. */
function isOpenToAll(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname.replaceAll(/[[\]]/g, ''));
}
