import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import type { IssuedSvid } from '../../core/issuance/svid.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import type { Attestation, IssuanceFault } from '../../core/model/svid.ts';
import { json, refused, type HttpAnswer, type HttpRefusal } from './http-answer.ts';
import type { ClientCertificate } from './http-client-certificate.ts';
import { readBody, readSvidAsk, type SvidAsk } from './http-request.ts';
import { mostOf, type ServiceDeps, type ServiceLimits } from './http-settings.ts';
import type { TrustJson } from './http-trust.ts';
import { createRateLimit } from './rate-limit.ts';
import { sourceOf } from './rate-limit-source.ts';

/** Enrolment and renewal: `POST /v1/svid`. */
export interface SvidDesk {
  /** Decides on one request. Never rejects. */
  serve(request: IncomingMessage): Promise<Answered>;
  /** Requests that are being worked on. */
  readonly working: number;
}

/** What the desk asks others in the room. */
export type SvidDeskSources = {
  readonly judge: (socket: Socket) => ClientCertificate;
  readonly trust: () => TrustJson;
};

type Answered = Result<HttpAnswer, HttpRefusal>;

/** What the caller may know of a fault: nothing about its rights. */
const KINDS = {
  csr_malformed: 'refused',
  csr_signature_invalid: 'refused',
  csr_key_refused: 'refused',
  csr_asks_for_more: 'refused',
  caller_refused: 'refused',
  id_refused: 'refused',
  lifetime_refused: 'refused',
  rate_limited: 'rate_limited',
  proof_unavailable: 'unavailable',
  certificate_refused: 'unavailable',
  issuer_unavailable: 'unavailable',
  store_unavailable: 'unavailable',
} as const satisfies Record<IssuanceFault['kind'], HttpRefusal['kind']>;

/**
 * The desk's own limits come first: by the ID where a good certificate proves one, otherwise by the source, so that those who share an address with
 * an attacker can still renew. The authority has limits of its own behind them. What is refused counts for more than what goes well.
 */
export function createSvidDesk(
  deps: Pick<ServiceDeps, 'authority' | 'reviewer' | 'clock' | 'log'>,
  limits: ServiceLimits,
  sources: SvidDeskSources,
): SvidDesk {
  const strangers = createRateLimit({ ...limits.strangers, keys: limits.keys }, deps.clock);
  const members = createRateLimit({ ...limits.members, keys: limits.keys }, deps.clock);
  let working = 0;

  async function attest(
    { proof }: SvidAsk,
    certificate: ClientCertificate,
    source: string,
  ): Promise<Result<Attestation, HttpRefusal>> {
    if (proof === undefined) return byCertificate(certificate);
    if (proof.method === 'join-token') return ok({ kind: 'join-token', token: proof.token });
    if (deps.reviewer === undefined) return refused('method_off', 'no service account tokens are taken here');
    const reviewed = await deps.reviewer.review(proof.token, source);
    if (reviewed.ok) return reviewed;
    const { kind, detail, reason = REVIEW_REASONS[kind], retryAfterMs, caller: account } = reviewed.error;
    if (kind === 'refused') await deps.authority.noteRefusal({ source, account }, detail);
    return err({ kind, detail, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  }

  async function issue(ask: SvidAsk, certificate: ClientCertificate, address: string): Promise<Answered> {
    const attestation = await attest(ask, certificate, address);
    if (!attestation.ok) return attestation;
    const issued = await deps.authority.issue(attestation.value, ask.csr, address);
    return issued.ok ? ok(json(200, answerOf(issued.value, sources.trust()))) : err(refusalOf(issued.error));
  }

  /** No more at once than the limit: each holds a TokenReview or a signature. Strangers do not get all, since theirs may be slow. */
  async function work(ask: SvidAsk, certificate: ClientCertificate, address: string): Promise<Answered> {
    const room = certificate.kind === 'good' ? limits.issuing : Math.max(1, mostOf(limits.issuing));
    if (working >= room) return err(BUSY);
    working += 1;
    try {
      return await issue(ask, certificate, address);
    } catch (error) {
      deps.log.error({ error: String(error) }, 'a request for a certificate failed');
      return err({ kind: 'unavailable', reason: 'internal', detail: 'internal error' });
    } finally {
      working -= 1;
    }
  }

  return {
    async serve(request) {
      const address = request.socket.remoteAddress ?? 'unknown';
      const certificate = sources.judge(request.socket);
      const isMember = certificate.kind === 'good';
      const limit = isMember ? members : strangers;
      const key = isMember ? certificate.spiffeId : sourceOf(address);
      const retryAfterMs = limit.take(key);
      // Read all the same: a caller that is still sending would lose the answer with the connection.
      const ask = await readAsk(request, limits.bodyBytes);
      if (retryAfterMs > 0)
        return err({
          kind: 'rate_limited',
          reason: 'rate_limited',
          detail: `too many requests of ${key}`,
          retryAfterMs,
        });
      const answer = ask.ok ? await work(ask.value, certificate, address) : refused('request_malformed', ask.error);
      if (!answer.ok && answer.error.kind === 'refused') limit.charge(key, limits.failureCost - 1);
      return answer;
    },
    get working() {
      return working;
    },
  };
}

const REVIEW_REASONS = { refused: 'token_refused', unavailable: 'review_unavailable' } as const;

const BUSY: HttpRefusal = {
  kind: 'unavailable',
  reason: 'busy',
  detail: 'as many requests as are allowed are being worked on',
  retryAfterMs: 1_000,
};

async function readAsk(request: IncomingMessage, maxBytes: number): Promise<Result<SvidAsk, string>> {
  if (request.url !== '/v1/svid') return err('a query where none is expected');
  const text = await readBody(request, maxBytes);
  return text.ok ? readSvidAsk(text.value) : text;
}

function byCertificate(certificate: ClientCertificate): Result<Attestation, HttpRefusal> {
  switch (certificate.kind) {
    case 'good':
      return ok({ kind: 'certificate', spiffeId: certificate.spiffeId, serial: certificate.serial });
    case 'bad':
      return refused('certificate_refused', certificate.detail);
    case 'none':
      return refused('certificate_missing', 'neither a token nor a certificate');
    default:
      return certificate satisfies never;
  }
}

function answerOf(issued: IssuedSvid, trust: TrustJson): unknown {
  return {
    spiffe_id: issued.spiffeId,
    chain: issued.chain.map((der) => der.toBase64()),
    not_after: new Date(issued.notAfterMs).toISOString(),
    trust,
  };
}

function refusalOf({ kind, detail }: IssuanceFault): HttpRefusal {
  return { kind: KINDS[kind], reason: kind, detail };
}
