import type { ServerResponse } from 'node:http';

/** What an admin request is answered with. */
export type Answer = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An answer in JSON, with a line end for people at a terminal. */
export function json(status: number, value: unknown, headers?: Answer['headers']): Answer {
  const body = `${JSON.stringify(value)}\n`;
  return { status, type: 'application/json; charset=utf-8', body, ...(headers && { headers }) };
}

/** An answer that only says what is wrong with the request. */
export function refusal(status: number, title: string, headers?: Answer['headers']): Answer {
  return json(status, { error: title }, headers);
}

/** Writes an answer; Node leaves the body out for `HEAD` (RFC 9110 section 9.3.2). */
export function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  });
  response.end(answer.body);
}
