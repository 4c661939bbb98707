import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { request } from 'node:https';
import type { TestContext } from 'node:test';
import type { ConnectionOptions } from 'node:tls';

import { encodePem } from '../../src/core/identity/pem.ts';
import { createCsr } from '../../src/core/issuance/create-csr.ts';
import { createAuthorityService, type AuthorityService } from '../../src/io/authority/http-service.ts';
import type { ServiceDeps, ServiceLimits } from '../../src/io/authority/http-settings.ts';
import type { FakeIssuingAuthority } from './fake-issuing-authority.ts';
import type { Issued } from './pki.ts';
import { systemClock } from './system-clock.ts';

export const MEMBER_ID = 'spiffe://example.org/ns/agents/sa/planner';

const PLENTY = { perSecond: 1_000, burst: 10_000 };
/** Limits that no test reaches by asking often. */
export const UNLIMITED = { strangers: PLENTY, members: PLENTY, reads: PLENTY };

/** The trust document on the wire. */
export type TrustOnWire = {
  readonly revision: string;
  readonly bundles: Readonly<Record<string, readonly string[]>>;
  readonly crls: readonly string[];
  readonly refresh_hint?: number;
};

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly message: string };

/** The HTTPS service of an authority on loopback, with all that it was told to log. */
export type ServedAuthority<A extends ServiceDeps['authority'] = FakeIssuingAuthority> = {
  readonly authority: A;
  readonly service: AuthorityService;
  readonly port: number;
  readonly crlPort: number | undefined;
  readonly url: string;
  readonly lines: LogLine[];
  /** What the log said of the last refusal. */
  lastReason(): unknown;
};

export type ServingOptions = {
  readonly limits?: Partial<ServiceLimits>;
  readonly reviewer?: ServiceDeps['reviewer'];
  readonly timer?: ServiceDeps['timer'];
  readonly clock?: ServiceDeps['clock'];
  readonly plainCrl?: boolean;
};

/** Serves until the test ends. */
export async function serveAuthority<A extends ServiceDeps['authority']>(
  context: TestContext,
  authority: A,
  options: ServingOptions = {},
): Promise<ServedAuthority<A>> {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    lines.push({ level, message, ...fields });
  };
  const service = createAuthorityService(
    {
      listen: { host: '127.0.0.1', port: 0 },
      crlListen: options.plainCrl === true ? { host: '127.0.0.1', port: 0 } : undefined,
      limits: options.limits,
    },
    {
      authority,
      reviewer: options.reviewer,
      formatBundle: (trust) => JSON.stringify({ keys: [], spiffe_sequence: 1, revision: trust.revision }),
      clock: options.clock ?? systemClock,
      timer: options.timer ?? realTimer,
      log: { info: at('info'), warn: at('warn'), error: at('error') },
    },
  );
  const bound = await service.start();
  context.after(() => service.stop(0));
  return {
    authority,
    service,
    port: bound.https.port,
    crlPort: bound.crl?.port,
    url: `https://localhost:${bound.https.port}`,
    lines,
    lastReason: () => lines.findLast((line) => line.level === 'warn')?.['reason'],
  };
}

/** A timer of the system that does not keep the process alive. */
export function realTimer(ms: number, action: () => void): () => void {
  const handle = setTimeout(action, ms).unref();
  return () => clearTimeout(handle);
}

export type HttpsAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly json: unknown;
};

export type HttpsCall = {
  readonly port: number;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly tls?: ConnectionOptions;
  readonly signal?: AbortSignal;
};

/** One request by Node's own client, which believes whatever certificate is shown: what the service does is looked at, not what it is. */
export function callHttps({ port, method = 'GET', path, headers, body, tls, signal }: HttpsCall): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, agent: false, rejectUnauthorized: false, signal, ...tls },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(pieces);
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          const json: unknown = isJson ? JSON.parse(whole.toString()) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, json });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** `POST /v1/svid`. */
export function postSvid(port: number, ask: unknown, tls: ConnectionOptions = {}): Promise<HttpsAnswer> {
  const body = typeof ask === 'string' ? ask : JSON.stringify(ask);
  const headers = { 'content-type': 'application/json' };
  return callHttps({ port, method: 'POST', path: '/v1/svid', headers, body, tls });
}

/** A fresh P-256 key with its request. */
export async function freshCsr(): Promise<{
  readonly privateKey: KeyObject;
  readonly csr: Uint8Array;
  readonly base64: string;
}> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = await createCsr(privateKey);
  return { privateKey, csr, base64: csr.toBase64() };
}

/** What a TLS client shows. */
export function shown(chain: readonly Uint8Array[], privateKey: KeyObject): ConnectionOptions {
  return {
    cert: chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** A member of the authority's domain with a certificate that it may renew. */
export function member(
  authority: FakeIssuingAuthority,
  id = MEMBER_ID,
): { issued: Issued; serial: string; tls: ReturnType<typeof shown> } {
  const { issued, serial, chain } = authority.give(id);
  return { issued, serial, tls: shown(chain, issued.privateKey) };
}

/** A refusal says nothing but that it is one. */
export function assertRefused(answer: HttpsAnswer, title = ''): void {
  assert.equal(answer.status, 403, title);
  assert.equal(answer.headers['content-type'], 'application/problem+json', title);
  const body = '{"type":"about:blank","title":"refused","status":403,"kind":"refused"}';
  assert.equal(answer.body.toString(), body, title);
}
