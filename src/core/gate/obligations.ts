import type { HeaderList } from '../kernel/headers.ts';
import type { Obligations } from '../model/decision.ts';
import type { CanonicalRequest } from '../model/request.ts';
import type { PermittedRequest } from './permit.ts';

/** Fields that frame or route the message: no policy may set or remove them (Envoy ignores pseudo-headers and Host in `request_headers_to_remove`). */
const UNTOUCHABLE: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'upgrade',
  'trailer',
  'expect',
]);

/** The request that may be forwarded: the canonical one with the policy's obligations applied, in Envoy's order: set, then remove, so that a name in both is gone. */
export function applyObligations(request: CanonicalRequest, obligations: Obligations): PermittedRequest {
  return {
    style: request.style,
    method: request.method,
    authority: request.authority,
    target: applyToTarget(request, obligations),
    headers: applyToHeaders(request.headers, obligations),
    body: request.body,
    grpcTimeoutMs: request.grpcTimeoutMs,
    expectContinue: request.expectContinue,
    responseHeadersToAdd: obligations.responseHeadersToAdd,
  };
}

function applyToHeaders(headers: HeaderList, obligations: Obligations): HeaderList {
  const { requestHeadersToSet: set, requestHeadersToRemove: remove } = obligations;
  if (set.length === 0 && remove.length === 0) return headers;
  const gone = new Set<string>();
  for (const name of remove) if (mayTouch(name)) gone.add(name);
  for (let i = 0; i < set.length; i += 2) if (mayTouch(set[i] as string)) gone.add(set[i] as string);
  const result: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!gone.has(headers[i] as string)) result.push(headers[i] as string, headers[i + 1] as string);
  }
  for (let i = 0; i + 1 < set.length; i += 2) {
    const name = set[i] as string;
    if (mayTouch(name) && !remove.includes(name)) result.push(name, set[i + 1] as string);
  }
  return result;
}

function mayTouch(name: string): boolean {
  return !UNTOUCHABLE.has(name) && !name.startsWith(':');
}

function applyToTarget(request: CanonicalRequest, obligations: Obligations): string {
  const { queryToSet: set, queryToRemove: remove } = obligations;
  if (set.length === 0 && remove.length === 0) return request.target;
  const gone = new Set<string>(remove);
  for (let i = 0; i < set.length; i += 2) gone.add(set[i] as string);
  const kept = (request.query ?? '').split('&').filter((pair) => pair !== '' && !gone.has(parameterName(pair)));
  for (let i = 0; i + 1 < set.length; i += 2) {
    if (!remove.includes(set[i] as string))
      kept.push(`${encodeURIComponent(set[i] as string)}=${encodeURIComponent(set[i + 1] as string)}`);
  }
  return kept.length === 0 ? request.path : `${request.path}?${kept.join('&')}`;
}

function parameterName(pair: string): string {
  const end = pair.indexOf('=');
  const raw = (end === -1 ? pair : pair.slice(0, end)).replaceAll('+', ' ');
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
