import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { isPkcs12 } from './identity-settings.ts';
import { at, isEmptyMap, parsed } from './raw-values.ts';

import type { Finding } from './mistake.ts';

/** What no single key of `identity` shows. Values as they were read. */
export function identityFindings(identity: unknown): readonly Finding[] {
  if (identity === null || typeof identity !== 'object') return [];
  const source = at(identity, 'source') ?? 'files';
  return [
    ...needFindings(identity, source),
    ...strayFindings(identity, source),
    ...passphraseFindings(identity, source),
    ...domainFindings(identity, source),
  ];
}

const NEEDED = {
  certificate: 'the path of a PEM file with the certificate chain, leaf first',
  privateKey: 'the path of a PEM file with the private key',
  trustBundles: 'a map from trust domains to PEM files, at least one',
};

function needFindings(identity: unknown, source: unknown): readonly Finding[] {
  if (source === 'authority' && at(identity, 'authority') === undefined)
    return [
      { path: ['identity', 'authority'], expected: 'the settings of the authority: url, id, trustBundle, token' },
    ];
  if (source !== 'files') return [];
  const key = at(identity, 'privateKey');
  const holdsBoth = typeof key === 'string' && isPkcs12(key);
  return Object.entries(NEEDED).flatMap(([name, expected]) => {
    const value = at(identity, name);
    const isThere = value !== undefined && !isEmptyMap(value);
    if (isThere || (name === 'certificate' && holdsBoth)) return [];
    if (name === 'trustBundles' && !isNothing(at(identity, 'federation'))) return [];
    return [{ path: ['identity', name], expected }];
  });
}

/** Keys of another source: they would be passed over in silence. */
function strayFindings(identity: unknown, source: unknown): readonly Finding[] {
  // An unknown source is a mistake of its own; nothing follows from it.
  if (source !== 'files' && source !== 'authority' && source !== 'workload-api') return [];
  const keys: Readonly<Record<string, string>> = {
    authority: 'authority',
    workloadApi: 'workload-api',
    certificate: 'files',
    privateKey: 'files',
  };
  return Object.entries(keys).flatMap(([key, owner]) =>
    owner === source || at(identity, key) === undefined
      ? []
      : [{ path: ['identity', key], expected: `no such key with \`source: ${source}\`` }],
  );
}

/** A passphrase is for a key that lies on disk. */
function passphraseFindings(identity: unknown, source: unknown): readonly Finding[] {
  if (at(identity, 'passphrase') === undefined || source === 'files') return [];
  const path = ['identity', 'passphrase'];
  if (source === 'workload-api') return [{ path, expected: 'no such key with `source: workload-api`' }];
  const isKept = at(at(identity, 'authority'), 'keep') !== undefined;
  return source === 'authority' && !isKept
    ? [{ path, expected: 'no such key without `authority.keep`', hint: 'the key is in memory only' }]
    : [];
}

/** One trust domain, one place that its bundle comes from. */
function domainFindings(identity: unknown, source: unknown): readonly Finding[] {
  const [bundles, federation] = [namesOf(at(identity, 'trustBundles')), namesOf(at(identity, 'federation'))];
  const findings: Finding[] = federation
    .filter((domain) => bundles.includes(domain))
    .map((domain) => ({
      path: ['identity', 'federation', domain],
      expected: 'a trust domain that is not in trustBundles too',
      hint: 'a bundle comes from one place; `federation.….trustBundle` is what an endpoint is checked with at first',
    }));
  const own = source === 'authority' ? parsed(at(at(identity, 'authority'), 'id'), parseSpiffeIdText) : undefined;
  const ownDomain = own?.split('/')[2] ?? '';
  const agent = source === 'authority' ? parsed(at(at(identity, 'authority'), 'agent'), parseSpiffeIdText) : undefined;
  if (agent !== undefined && own !== undefined && agent.split('/')[2] !== ownDomain)
    findings.push({ path: ['identity', 'authority', 'agent'], expected: `an ID of ${ownDomain}, as the authority's` });
  for (const [key, domains] of [
    ['trustBundles', bundles],
    ['federation', federation],
  ] as const) {
    if (domains.includes(ownDomain))
      findings.push({
        path: ['identity', key, ownDomain],
        expected: 'other trust domains only',
        hint: `the authority tells the roots of ${ownDomain}`,
      });
  }
  return [
    ...findings,
    ...federation.flatMap((domain) => endpointFindings(at(at(identity, 'federation'), domain), domain)),
  ];
}

/** SPIFFE Federation 5: URL, profile and endpoint ID are three parameters; none follows from another. */
function endpointFindings(endpoint: unknown, domain: string): readonly Finding[] {
  const path = ['identity', 'federation', domain];
  const isSpiffe = at(endpoint, 'profile') === 'https_spiffe';
  const has = (key: string): boolean => at(endpoint, key) !== undefined;
  if (!isSpiffe && at(endpoint, 'profile') === 'https_web' && has('id'))
    return [{ path: [...path, 'id'], expected: 'no such key with `profile: https_web`' }];
  if (!isSpiffe) return [];
  return [
    ...(has('id') ? [] : [{ path: [...path, 'id'], expected: 'the SPIFFE ID of the endpoint' }]),
    ...(has('trustBundle')
      ? []
      : [
          {
            path: [...path, 'trustBundle'],
            expected: "the path of a PEM file with the roots of the endpoint's trust domain",
          },
        ]),
  ];
}

function namesOf(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function isNothing(value: unknown): boolean {
  return value === undefined || isEmptyMap(value);
}
