import type { IncomingMessage, ServerResponse } from 'node:http';

import { equalBytes } from '../../core/identity/bytes.ts';
import { parseCertificate, type Certificate } from '../../core/identity/certificate.ts';
import { parseCrl, type Crl } from '../../core/identity/crl.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import { refused, type HttpAnswer, type HttpRefusal } from './http-answer.ts';
import { readTrustAsk } from './http-request.ts';
import type { ServiceDeps, ServiceLimits } from './http-settings.ts';
import type { TrustFeed } from './http-trust.ts';
import { createRateLimit } from './rate-limit.ts';
import { sourceOf } from './rate-limit-source.ts';

type Answered = Result<HttpAnswer, HttpRefusal>;

/** What anybody may read, since all of it is public: roots and revocation lists. Limited by source only. */
export interface PublicDesk {
  /** `GET /v1/trust?revision=R&wait=SECONDS`: the trust document, or 304 where the caller has it; a long poll. */
  trust(request: IncomingMessage, response: ServerResponse): Promise<Answered>;
  /** `GET /v1/bundle`: the roots as a SPIFFE bundle, for other trust domains. */
  bundle(request: IncomingMessage): Answered;
  /** `GET /v1/crl`: the list of the certificate that issues now, DER (RFC 2585 4); those of earlier ones and of the roots are in the trust document. */
  crl(request: IncomingMessage): Answered;
}

export function createPublicDesk(
  deps: Pick<ServiceDeps, 'authority' | 'formatBundle' | 'clock'>,
  limits: ServiceLimits,
  feed: TrustFeed,
): PublicDesk {
  const reads = createRateLimit({ ...limits.reads, keys: limits.keys }, deps.clock);

  function refusal(request: IncomingMessage, mayHaveQuery: boolean): Result<never, HttpRefusal> | undefined {
    const source = sourceOf(request.socket.remoteAddress);
    const retryAfterMs = reads.take(source);
    if (retryAfterMs > 0)
      return err({
        kind: 'rate_limited',
        reason: 'rate_limited',
        detail: `too many requests of ${source}`,
        retryAfterMs,
      });
    const { headers, url = '' } = request;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (hasBody) return refused('request_malformed', 'a GET with a body');
    if (!mayHaveQuery && url.includes('?')) return refused('request_malformed', 'a query where none is expected');
    return undefined;
  }

  return {
    async trust(request, response) {
      const no = refusal(request, true);
      if (no !== undefined) return no;
      const [, query = ''] = (request.url ?? '').split(/\?(.*)/s);
      const ask = readTrustAsk(new URLSearchParams(query), limits.waitMs);
      if (!ask.ok) return refused('request_malformed', ask.error);
      const source = sourceOf(request.socket.remoteAddress);
      const body = await feed.ask(ask.value, source, (end) => response.once('close', end));
      return ok(body === undefined ? { status: 304 } : { status: 200, type: 'application/json', body });
    },
    bundle(request) {
      const no = refusal(request, false);
      if (no !== undefined) return no;
      return ok({ status: 200, type: 'application/json', body: deps.formatBundle(deps.authority.trust()) });
    },
    crl(request) {
      return refusal(request, false) ?? currentList(deps.authority);
    },
  };
}

/** The list of the certificate that issues now, which our own leaf names as its issuer; where there is none, the one that was made last. */
function currentList(authority: Pick<ServiceDeps['authority'], 'trust' | 'own'>): Answered {
  const readable = authority.trust().crls.flatMap((der) => {
    const crl = parseCrl(der);
    return crl.ok ? [{ der, crl: crl.value }] : [];
  });
  const leaf = parseCertificate(authority.own().svid.chain[0] ?? new Uint8Array());
  const ofIssuer = readable.filter(({ crl }) => leaf.ok && isOfIssuer(crl, leaf.value));
  const candidates = ofIssuer.length > 0 ? ofIssuer : readable;
  const [newest] = candidates.toSorted((a, b) => b.crl.thisUpdateMs - a.crl.thisUpdateMs);
  if (newest === undefined)
    return err({ kind: 'unavailable', reason: 'crl_missing', detail: 'there is no revocation list' });
  return ok({ status: 200, type: 'application/pkix-crl', body: newest.der });
}

function isOfIssuer(crl: Crl, { issuer, extensions }: Certificate): boolean {
  return equalBytes(crl.issuer, issuer) && crl.authorityKeyId === extensions.authorityKeyId;
}
