import type { SpiffeId } from '../kernel/brand.ts';
import { ownMember, putMember } from '../kernel/own-member.ts';
import type { Connection, Endpoint } from '../model/connection.ts';
import type { CertificateFacts, IdentifiedPeer } from '../model/peer.ts';
import type { InputNeeds } from '../model/policy.ts';
import type { PolicyHttp, PolicyInput, PolicyPeer, SallyportInput } from '../model/policy-input.ts';
import type { CanonicalRequest } from '../model/request.ts';
import type { RawExchange } from './exchange.ts';

/** The agent that this sidecar stands beside. */
export type Agent = {
  readonly spiffeId: SpiffeId | undefined;
  readonly listener: string;
  readonly contextExtensions: Readonly<Record<string, string>>;
};

/** What is true of every request on one connection; made once when the connection's first request comes. */
export type ConnectionInput = {
  /** `attributes.source`, with `certificate` only where the policy reads it (encoding it costs, so once a connection and on demand). */
  source(withCertificate: boolean): PolicyPeer;
  readonly destination: PolicyPeer;
  readonly sallyport: SallyportInput;
  readonly principal: string | undefined;
  /** `attributes.tlsSession` and `contextExtensions`, each absent where there is nothing to say, as an empty message is in Envoy's; and what is empty for all. */
  readonly extensions: Pick<PolicyInput['attributes'], 'tlsSession' | 'contextExtensions' | 'metadataContext'>;
};

/** What of a request only some policies read. */
export type RequestReadings = {
  readonly parsedPath: readonly string[];
  readonly parsedQuery: Readonly<Record<string, readonly string[]>>;
  /** Undefined where the policy does not read it: then the key is absent. */
  readonly body:
    | { readonly parsed: unknown; readonly truncated: boolean; readonly raw: string | undefined }
    | undefined;
};

const NOTHING = Object.freeze({});
const VERSION: PolicyInput['version'] = Object.freeze({ ext_authz: 'v3', encoding: 'protojson' });

/** The parts of the input that do not change during a connection. */
export function connectionInput(
  connection: Connection,
  peer: RawExchange['peer'],
  agent: Agent,
  subject: SallyportInput['subject'],
): ConnectionInput {
  const identified = peer.kind === 'identified' ? peer : undefined;
  let certified: PolicyPeer | undefined;
  const plain: PolicyPeer = {
    ...socketAddress(connection.remote),
    ...(identified && { principal: identified.spiffeId }),
  };
  return {
    source: (withCertificate) => {
      if (!withCertificate || identified === undefined) return plain;
      certified ??= { ...plain, certificate: urlEncodedPem(identified.certificate.der) };
      return certified;
    },
    destination: {
      ...socketAddress(connection.local),
      ...(agent.spiffeId !== undefined && { principal: agent.spiffeId }),
    },
    sallyport: sallyportInput(connection, identified, agent, subject),
    principal: identified?.spiffeId,
    extensions: {
      ...(connection.tls?.sni !== undefined && { tlsSession: { sni: connection.tls.sni } }),
      ...(Object.keys(agent.contextExtensions).length > 0 && { contextExtensions: agent.contextExtensions }),
      metadataContext: NOTHING,
    },
  };
}

/** The `input` of one request: the OPA-Envoy v3 document and `input.sallyport`. The one place that builds it. */
export function requestInput(
  base: ConnectionInput,
  request: CanonicalRequest,
  requestId: string,
  receivedAtMs: number,
  needs: InputNeeds,
  readings: RequestReadings,
): PolicyInput {
  const { body } = readings;
  const { tlsSession, contextExtensions, metadataContext } = base.extensions;
  // Member by member: an object spread into another costs more than all of this.
  const attributes: Growing<PolicyInput['attributes']> = {
    source: base.source(needs.peerCertificate),
    destination: base.destination,
    request: { time: timestamp(receivedAtMs), http: httpInput(request, requestId, body?.raw) },
  };
  if (tlsSession !== undefined) attributes.tlsSession = tlsSession;
  if (contextExtensions !== undefined) attributes.contextExtensions = contextExtensions;
  attributes.metadataContext = metadataContext;
  const input: Growing<PolicyInput> = {
    attributes: attributes as PolicyInput['attributes'],
    version: VERSION,
    parsed_path: readings.parsedPath,
    parsed_query: readings.parsedQuery,
  };
  if (body !== undefined) {
    input.parsed_body = body.parsed;
    input.truncated_body = body.truncated;
  }
  if (base.principal !== undefined) input.source_principal = base.principal;
  input.sallyport = base.sallyport;
  return input as PolicyInput;
}

/** While it is made. */
type Growing<T> = { -readonly [K in keyof T]?: T[K] };

/** The `input` for a connection whose bytes are forwarded unread: no `attributes.request`. */
export function rawConnectionInput(base: ConnectionInput): PolicyInput {
  return {
    attributes: {
      source: base.source(true),
      destination: base.destination,
      ...base.extensions,
    },
    version: VERSION,
    ...(base.principal !== undefined && { source_principal: base.principal }),
    sallyport: base.sallyport,
  };
}

function socketAddress(end: Endpoint): Pick<PolicyPeer, 'address'> {
  return { address: { socketAddress: { address: end.address, portValue: end.port } } };
}

function timestamp(atMs: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(atMs / 1000);
  return { seconds, nanos: Math.round((atMs - seconds * 1000) * 1e6) };
}

function httpInput(request: CanonicalRequest, id: string, body: string | undefined): PolicyHttp {
  const size = request.body.kind === 'length' ? request.body.bytes : request.body.kind === 'none' ? 0 : -1;
  const { method, target: path, authority: host, scheme, protocol } = request;
  const headers = headerMap(request);
  if (body === undefined) return { id, method, path, host, scheme, protocol, headers, size };
  return { id, method, path, host, scheme, protocol, headers, size, body };
}

/** Header map as Envoy gives it to authorizers: pseudo-headers included, duplicates joined by comma. `constructor` is a name like any other. */
function headerMap(request: CanonicalRequest): Record<string, string> {
  const { headers } = request;
  const map: Record<string, string> = {
    ':authority': request.authority,
    ':method': request.method,
    ':path': request.target,
    ':scheme': request.scheme,
  };
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const before = ownMember(map, name);
    putMember(map, name, before === undefined ? value : `${before},${value}`);
  }
  return map;
}

function sallyportInput(
  connection: Connection,
  peer: IdentifiedPeer | undefined,
  agent: Agent,
  subject: SallyportInput['subject'],
): SallyportInput {
  const { tls } = connection;
  return {
    direction: connection.direction,
    subject,
    peer: peer === undefined ? { resumed: tls?.resumed ?? false } : peerInput(peer, tls?.resumed ?? false),
    connection: {
      id: connection.id,
      ...(tls && { tls_version: tls.version }),
      ...(tls?.alpn !== undefined && { alpn: tls.alpn }),
      ...(tls?.sni !== undefined && { sni: tls.sni }),
    },
    agent: { ...(agent.spiffeId !== undefined && { spiffe_id: agent.spiffeId }), listener: agent.listener },
  };
}

type PeerInput = SallyportInput['peer'];

/** `sallyport.peer` of each certificate, on new and on resumed connections. */
const known = new WeakMap<CertificateFacts, { readonly fresh: PeerInput; readonly resumed: PeerInput }>();

/** The same object for all connections of a peer: most of a peer's connections come with the certificate of the one before. */
function peerInput(peer: IdentifiedPeer, isResumed: boolean): PeerInput {
  const { certificate, spiffeId } = peer;
  const before = known.get(certificate);
  if (before?.fresh.spiffe_id === spiffeId) return isResumed ? before.resumed : before.fresh;
  const identity = identityInput(peer);
  const both = {
    fresh: Object.freeze({ ...identity, resumed: false }),
    resumed: Object.freeze({ ...identity, resumed: true }),
  };
  known.set(certificate, both);
  return isResumed ? both.resumed : both.fresh;
}

function identityInput(peer: IdentifiedPeer): Omit<PeerInput, 'resumed'> {
  const { certificate } = peer;
  return {
    spiffe_id: peer.spiffeId,
    trust_domain: peer.trustDomain,
    path: peer.path,
    certificate: {
      serial: certificate.serial,
      not_before: new Date(certificate.notBeforeMs).toISOString(),
      not_after: new Date(certificate.notAfterMs).toISOString(),
      sha256: certificate.sha256,
      spki_sha256: certificate.spkiSha256,
      issuer: certificate.issuer,
    },
  };
}

/** `certificate` as Envoy gives it: the PEM of the leaf, URL-encoded (AttributeContext.Peer.certificate). */
function urlEncodedPem(der: Uint8Array): string {
  const base64 = Buffer.from(der)
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n')
    .trimEnd();
  return encodeURIComponent(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`);
}
