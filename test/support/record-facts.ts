import type { ConnectionId, DecisionId, SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';
import { NO_OBLIGATIONS } from '../../src/core/model/decision.ts';
import type { Connection } from '../../src/core/model/connection.ts';
import type { IdentifiedPeer } from '../../src/core/model/peer.ts';
import type { Evaluation, Policy } from '../../src/core/model/policy.ts';
import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import type { RecordFacts } from '../../src/core/model/record-facts.ts';

/** An inbound connection by TLS 1.3, as the facts of records name it. */
export const sampleConnection: Connection = {
  id: 'c-1' as ConnectionId,
  direction: 'inbound',
  listener: '0.0.0.0:8443',
  remote: { address: '10.0.0.9', port: 40_000 },
  local: { address: '10.0.0.7', port: 8_443 },
  openedAtMs: 1_700_000_000_000,
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', alpn: 'http/1.1', sni: 'agent', resumed: false },
};

/** A peer that passed every rule. */
export const samplePeer: IdentifiedPeer = {
  kind: 'identified',
  spiffeId: 'spiffe://example.org/ns/agents/sa/writer' as SpiffeId,
  trustDomain: 'example.org' as TrustDomain,
  path: '/ns/agents/sa/writer',
  certificate: {
    serial: '1f',
    notBeforeMs: 1_699_999_000_000,
    notAfterMs: 1_700_003_600_000,
    sha256: 'a'.repeat(64),
    spkiSha256: 'b'.repeat(64),
    issuer: 'CN=example.org',
    subject: '',
    dnsNames: [],
    der: new Uint8Array(),
  },
  validUntilMs: 1_700_003_600_000,
};

/** A policy whose evaluations do not matter, with the log rules given. */
export function samplePolicy(rules: Partial<Pick<Policy, 'mask' | 'drop'>> = {}): Policy {
  return {
    bundles: { main: { revision: 'r1' } },
    entrypoint: 'sallyport/authz/decision',
    needs: { parsedBody: false, rawBody: false, parsedQuery: false, peerCertificate: false },
    evaluate: () => ({ kind: 'undefined', steps: 0, cached: false }),
    mask: rules.mask,
    drop: rules.drop,
  };
}

/** An evaluation that gave `value`. */
export function defined(value: unknown): Evaluation {
  return { kind: 'defined', value, steps: 10, cached: false };
}

/** An input with the request headers given, and whatever else. */
export function sampleInput(headers: Record<string, string> = {}, more: Partial<PolicyInput> = {}): PolicyInput {
  const address = { socketAddress: { address: '10.0.0.9', portValue: 40_000 } };
  return {
    attributes: {
      source: { address, principal: samplePeer.spiffeId },
      destination: { address },
      request: {
        time: { seconds: 1_700_000_000, nanos: 0 },
        http: {
          id: '1',
          method: 'GET',
          path: '/a?b=c',
          host: 'agent',
          scheme: 'https',
          protocol: 'HTTP/1.1',
          headers: { ':path': '/a?b=c', ...headers },
          size: 0,
        },
      },
      metadataContext: {},
    },
    version: { ext_authz: 'v3', encoding: 'protojson' },
    parsed_path: ['a'],
    parsed_query: { b: ['c'] },
    sallyport: {
      direction: 'inbound',
      subject: 'request',
      peer: { spiffe_id: samplePeer.spiffeId, resumed: false },
      connection: { id: 'c-1' },
      agent: { listener: '0.0.0.0:8443' },
    },
    ...more,
  };
}

/** The facts of an allowed and forwarded request, with changes. */
export function sampleFacts(changes: Partial<RecordFacts> = {}): RecordFacts {
  return {
    decisionId: '0b9a3c1e-7d47-4d2f-9c9c-6f1d2a3b4c5d' as DecisionId,
    atMs: 1_700_000_000_123,
    connection: sampleConnection,
    peer: samplePeer,
    policy: samplePolicy(),
    input: sampleInput(),
    evaluation: defined(true),
    decision: { kind: 'allow', obligations: NO_OBLIGATIONS, reasons: [] },
    fault: undefined,
    mode: 'enforce',
    trace: undefined,
    outcome: { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 12 },
    evaluationNs: 4_200.7,
    totalMs: 1.2345,
    ...changes,
  };
}
