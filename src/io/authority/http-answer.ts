import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

import { err, type Result } from '../../core/kernel/result.ts';

/** What a request is answered with. */
export type HttpAnswer = {
  readonly status: number;
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly retryAfterMs?: number;
};

/**
 * Why a request is not served, for figures and the process log. The caller is told `refused` and no more, whatever the reason; only what helps
 * an honest one and says nothing about the caller's rights is told apart: too many requests, and that the authority cannot work now.
 */
export type HttpRefusal = {
  readonly kind: 'refused' | 'rate_limited' | 'unavailable';
  /** For the operator; never sent. */
  readonly detail: string;
  /** Stable name of the reason, for the log. */
  readonly reason: string;
  readonly retryAfterMs?: number;
};

const STATUS: Readonly<Record<HttpRefusal['kind'], number>> = { refused: 403, rate_limited: 429, unavailable: 503 };
const TITLE: Readonly<Record<HttpRefusal['kind'], string>> = {
  refused: 'refused',
  rate_limited: 'too many requests',
  unavailable: 'not available now',
};

/** Soonest time at which a caller may come back where nothing better is known, milliseconds. */
export const COME_BACK_MS = 5_000;

export function json(status: number, value: unknown): HttpAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

/** A refusal as RFC 9457 problem details. */
export function problem({ kind, retryAfterMs }: HttpRefusal): HttpAnswer {
  const body = JSON.stringify({ type: 'about:blank', title: TITLE[kind], status: STATUS[kind], kind });
  const answer = { status: STATUS[kind], type: 'application/problem+json', body };
  return kind === 'refused' ? answer : { ...answer, retryAfterMs: retryAfterMs ?? COME_BACK_MS };
}

/** Writes an answer and ends the connection: each serves one request, so that nothing of one caller's is left for the next. */
export function send(response: ServerResponse, { status, type, body = '', retryAfterMs }: HttpAnswer): void {
  const headers: OutgoingHttpHeaders = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  };
  if (type !== undefined) headers['content-type'] = type;
  if (status !== 304) headers['content-length'] = Buffer.byteLength(body);
  // RFC 9110 10.2.3: whole seconds.
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  response.writeHead(status, headers);
  response.end(status === 304 ? undefined : body);
}

/** A refusal that the caller learns nothing from. */
export function refused(reason: string, detail: string): Result<never, HttpRefusal> {
  return err({ kind: 'refused', reason, detail });
}
