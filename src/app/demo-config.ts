import { TRUST_DOMAIN } from './demo-identities.ts';

/**
 * The configuration file of one sidecar, as a user would write it; paths count from the file's own folder. `name`: that of the agent's files and the
 * last part of its SPIFFE ID. `upstream`: where it listens.
 */
export function sidecarConfig(name: string, upstream: string): string {
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
policy:
  bundle: policy
journal:
  - file:${journalName(name)}
admin:
  listen: 127.0.0.1:0
shutdown:
  grace: 2s
`;
}

/** File of an agent's decision records, in the demo's folder. */
export function journalName(name: string): string {
  return `${name}.journal.ndjson`;
}
