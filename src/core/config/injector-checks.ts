import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { isLoopback, parseListen } from './addresses.ts';
import { at, parsed } from './raw-values.ts';

import type { ConfigPath, Finding } from './mistake.ts';

/** What no single key of the injector's file shows; on the values as they were read, whatever else is wrong with them. */
export function injectorChecks(root: unknown): readonly Finding[] {
  const sidecar = at(root, 'sidecar');
  return [...sourceFindings(sidecar, root), ...foreignIds(sidecar), ...portFindings(sidecar), ...listenFindings(root)];
}

/** What a chosen source needs, and what only another one would use. */
function sourceFindings(sidecar: unknown, root: unknown): readonly Finding[] {
  const [identity, policy] = [at(sidecar, 'identity'), at(sidecar, 'policy')];
  const certificate = at(at(root, 'webhook'), 'certificate');
  const byAuthority = (at(identity, 'source') ?? 'authority') === 'authority';
  const byNamespace = (at(policy, 'source') ?? 'namespace') === 'namespace';
  const byFiles = at(certificate, 'source') === 'files';
  const needs: readonly (readonly [needed: boolean, path: ConfigPath, expected: string])[] = [
    [byAuthority, ['sidecar', 'identity', 'authority'], 'url and id of the authority, for source: authority'],
    [byAuthority, ['trust', 'roots'], 'the path of the roots, for sidecar.identity.source: authority'],
    [byNamespace, ['sidecar', 'policy', 'namespace'], 'url and id of the policy service, for source: namespace'],
    [byNamespace, ['policyService'], 'the policy service, for sidecar.policy.source: namespace'],
    [!byNamespace, ['sidecar', 'policy', 'bundle'], 'the url of a bundle, for source: bundle'],
    [byFiles, ['webhook', 'certificate', 'files'], 'certificate and privateKey, for source: files'],
  ];
  const missing = needs.flatMap(([needed, path, expected]) =>
    needed && reach(root, path) === undefined ? [{ path, expected }] : [],
  );
  const both: ConfigPath = ['sidecar', 'policy', byNamespace ? 'bundle' : 'namespace'];
  const unused =
    reach(root, both) === undefined ? [] : [{ path: both, expected: 'nothing here: policy.source says the other' }];
  return [...missing, ...unused];
}

/** IDs of another trust domain would be believed by nobody. */
function foreignIds(sidecar: unknown): readonly Finding[] {
  const domain = at(sidecar, 'trustDomain');
  const paths: readonly ConfigPath[] = [
    ['identity', 'authority', 'id'],
    ['policy', 'namespace', 'id'],
  ];
  return paths.flatMap((path) => {
    const id = parsed(reach(sidecar, path), parseSpiffeIdText);
    if (id === undefined || typeof domain !== 'string' || id.split('/')[2] === domain) return [];
    return [{ path: ['sidecar', ...path], expected: `an ID of ${domain}` }];
  });
}

/** Two listeners of one pod need two ports; ports for peers go upwards from `inbound`. */
function portFindings(sidecar: unknown): readonly Finding[] {
  const ports = at(sidecar, 'ports');
  const numbers = Object.entries(USUAL_PORTS).map(([key, usual]) => [key, Number(at(ports, key) ?? usual)] as const);
  return numbers.flatMap(([key, number], index) =>
    numbers.slice(0, index).some(([, other]) => other === number)
      ? [{ path: ['sidecar', 'ports', key], expected: 'a port that no other listener of the sidecar has' }]
      : [],
  );
}

const USUAL_PORTS = { inbound: 15_100, outbound: 15_001, probe: 15_020, admin: 15_000 } as const;

/** Whoever reaches the policy service past its sidecar reads every namespace's policy; and three listeners need three ports. */
function listenFindings(root: unknown): readonly Finding[] {
  const service = parsed(reach(root, ['policyService', 'listen']), parseListen);
  const beyond: readonly Finding[] =
    service === undefined || isLoopback(service.host)
      ? []
      : [
          {
            path: ['policyService', 'listen'],
            expected: 'an address on loopback',
            hint: 'the sidecar in front of it proves who asks',
          },
        ];
  const [webhook, health] = [
    [['webhook', 'listen'], '0.0.0.0:8443'],
    [['health', 'listen'], '0.0.0.0:8080'],
  ].map(([path, usual]) => parsed(reach(root, path as ConfigPath) ?? usual, parseListen)?.port);
  const collides = webhook !== undefined && webhook !== 0 && webhook === health;
  return [
    ...beyond,
    ...(collides ? [{ path: ['health', 'listen'], expected: 'a port that no other listener has' }] : []),
  ];
}

function reach(root: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, key) => at(value, String(key)), root);
}
