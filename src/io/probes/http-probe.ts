import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

import { AGENT_HOST } from './tcp-probe.ts';
import { attempt, unwell, WELL, type Attempt, type ProbeVerdict } from './verdict.ts';

/** An HTTP probe as a pod declares it (`httpGet`). */
export type HttpTarget = {
  readonly port: number;
  /** With a query where there is one. */
  readonly path: string;
  readonly scheme: 'http' | 'https';
  readonly headers: readonly { readonly name: string; readonly value: string }[];
};

/** The kubelet reads so much of an answer and lets the rest be, bytes (`maxRespBodyLength`). */
const BODY_BYTES = 10_240;
/** An answer's head, bytes. */
const HEAD_BYTES = 16_384;
const REDIRECTS = 10;
const REDIRECTING: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const USER_AGENT = 'kube-probe/sallyport';

/** One request of a probe: where it goes, and what it is called there. */
type Hop = { readonly url: URL; readonly host: string };

/**
 * An HTTP probe by the kubelet's rules (`pkg/probe/http`): GET, good from 200 to 399 once the answer's first 10 KiB are here; a certificate is not verified; redirects are
 * followed as long as they lead to the same host, and one to anywhere else is good as it stands. `podAddress` is the address by which the kubelet reached us: the Host
 * that it would have sent. Connections go to 127.0.0.1 whatever a redirect says. Never rejects.
 */
export function probeHttp(target: HttpTarget, timeoutMs: number, podAddress: string): Promise<ProbeVerdict> {
  const under = attempt(timeoutMs);
  const authority = podAddress.includes(':') ? `[${podAddress}]` : podAddress;
  const url = URL.parse(`${target.scheme}://${authority}:${target.port}${originForm(target.path)}`);
  if (url === null) under.end(unwell('the path of the probe cannot be asked for'));
  else {
    const custom = target.headers.findLast(({ name }) => name.toLowerCase() === 'host')?.value;
    ask(target, { url, host: custom || `${authority}:${target.port}` }, under, REDIRECTS);
  }
  return under.done;
}

function ask(target: HttpTarget, hop: Hop, under: Attempt, redirectsLeft: number): void {
  let request: ClientRequest;
  try {
    request = begin(target, hop);
  } catch (error) {
    under.end(unwell(String(error)));
    return;
  }
  under.onEnd(() => request.destroy());
  request.on('error', (error) => under.end(unwell(error.message)));
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    under.end(unwell('answered 101'));
  });
  request.on('response', (response) => {
    const next = redirect(response, hop);
    if (next === undefined) judge(response, under);
    else if (redirectsLeft === 0) under.end(unwell(`more than ${REDIRECTS} redirects`));
    else if (next === 'unreadable') under.end(unwell('a redirect to what is no URL'));
    else {
      response.destroy();
      request.removeAllListeners('error').on('error', ignore);
      ask(target, next, under, redirectsLeft - 1);
    }
  });
  request.end();
}

function begin(target: HttpTarget, { url, host }: Hop): ClientRequest {
  const isTls = url.protocol === 'https:';
  const options = {
    host: AGENT_HOST,
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: fields(target, host),
    setHost: false,
    agent: false,
    maxHeaderSize: HEAD_BYTES,
  } as const;
  if (!isTls) return httpRequest(options);
  // As the kubelet: it may ask any agent, and an agent's certificate says nothing to it.
  return httpsRequest({ ...options, rejectUnauthorized: false, servername: '' });
}

/** The declared fields; `User-Agent` and `Accept` where they are not declared, and no `Accept` where it is declared empty. */
function fields(target: HttpTarget, host: string): string[] {
  const list = ['Host', host];
  const declared = new Set<string>();
  for (const { name, value } of target.headers) {
    const key = name.toLowerCase();
    declared.add(key);
    if (key === 'host' || (key === 'accept' && value === '')) continue;
    list.push(name, value);
  }
  if (!declared.has('user-agent')) list.push('User-Agent', USER_AGENT);
  if (!declared.has('accept')) list.push('Accept', '*/*');
  list.push('Connection', 'close');
  return list;
}

function judge(response: IncomingMessage, under: Attempt): void {
  const status = response.statusCode ?? 0;
  const verdict = status >= 200 && status < 400 ? WELL : unwell(`answered ${status}`);
  let length = 0;
  response.on('data', (chunk: Uint8Array) => {
    length += chunk.length;
    if (length >= BODY_BYTES) under.end(verdict);
  });
  response.on('end', () => under.end(verdict));
  response.on('error', (error) => under.end(unwell(`the answer broke off: ${error.message}`)));
}

/** Where an answer leads; undefined where it is to be judged as it stands: no redirect, or one to another host. */
function redirect(response: IncomingMessage, { url, host }: Hop): Hop | 'unreadable' | undefined {
  const { location } = response.headers;
  if (location === undefined || location === '' || !REDIRECTING.has(response.statusCode ?? 0)) return undefined;
  const next = URL.parse(location, url);
  if (next === null) return 'unreadable';
  const isHttp = next.protocol === 'http:' || next.protocol === 'https:';
  if (next.hostname !== url.hostname || !isHttp) return undefined;
  // net/http keeps a declared Host for a relative redirect only.
  const isRelative = !/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(location);
  return { url: next, host: isRelative ? host : next.host };
}

/** The path as a request can carry it: with its first slash, without a fragment, anything but visible ASCII encoded (RFC 3986 2.1). */
function originForm(path: string): string {
  const [plain = ''] = path.split('#', 1);
  const visible = plain.replaceAll(/[^\x21-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
  return visible.startsWith('/') ? visible : `/${visible}`;
}

function ignore(): void {
  // It was given up for the next one.
}
