import { TRUST_DOMAIN } from './demo-identities.ts';

/**
 * The configuration file of one sidecar, as a user would write it; paths count from the file's own folder. `name`: that of the agent's files and the
 * last part of its SPIFFE ID. `upstream`: where it listens. `calls`: whom it may call by which host, where it calls anybody.
 */
export function sidecarConfig(name: string, upstream: string, calls: readonly DemoDestination[] = []): string {
  return `# The sidecar of the agent "${name}": sallyport run --config ${name}.yaml
identity:
  certificate: certs/${name}.pem
  privateKey: certs/${name}.key
  trustBundles:
    ${TRUST_DOMAIN}: certs/${TRUST_DOMAIN}.pem
  revocationLists: [certs/${TRUST_DOMAIN}.crl.pem]
inbound:
  - listen: 127.0.0.1:0
    upstream: ${upstream}
${outbound(calls)}policy:
  bundle: policy
journal:
  - file:${journalName(name)}
admin:
  listen: 127.0.0.1:0
shutdown:
  grace: 2s
`;
}

/** Whom an agent calls: by this host, at this port of 127.0.0.1, where an agent of this name has to be. */
export type DemoDestination = { readonly host: string; readonly port: number; readonly agent: string };

function outbound(calls: readonly DemoDestination[]): string {
  if (calls.length === 0) return '';
  const destinations = calls.map(
    ({ host, port, agent }) =>
      `      ${host}: {address: '127.0.0.1:${port}', id: spiffe://${TRUST_DOMAIN}/agents/${agent}}`,
  );
  return ['outbound:', '  - listen: 127.0.0.1:0', '    destinations:', ...destinations, ''].join('\n');
}

/** File of an agent's decision records, in the demo's folder. */
export function journalName(name: string): string {
  return `${name}.journal.ndjson`;
}
