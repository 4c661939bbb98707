import { firstHeader } from '../kernel/headers.ts';
import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { CanonicalRequest } from '../model/request.ts';
import { bodyKind, otherReading } from './body-type.ts';
import type { BodyKind } from './body-type.ts';
import { grpcBodyKind, readGrpc } from './grpc-body.ts';
import type { ProtoDescriptors } from './grpc-body.ts';
import { readJson } from './json-text.ts';
import { readMultipart, strictText } from './multipart-body.ts';
import { parseParameters } from './form-parameters.ts';

/** `parsed_body` and `truncated_body` of the policy input. A truncated body has the reading null. */
export type BodyReading = { readonly parsed: unknown; readonly truncated: boolean };

const UNREAD: BodyReading = Object.freeze({ parsed: null, truncated: false });
const TRUNCATED: BodyReading = Object.freeze({ parsed: null, truncated: true });
const UTF8_LENIENT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads a collected body as OPA-Envoy does, by what the content type contains: `application/json` (any value), `application/grpc` (first message;
 * needs a descriptor set), `application/x-www-form-urlencoded` and `multipart/form-data` (arrays by name). Other types, no content type and
 * empty bodies have no reading: null. `complete` is false where the body did not end within what was collected; then it is truncated,
 * but for gRPC, where only the first message counts.
 *
 * Unlike OPA-Envoy, the content type is matched in any case, as agents match it (RFC 9110 section 8.3.1), and bodies that two readers could read
 * differently are refused (`body-type.ts`, `json-text.ts`, `multipart-body.ts`). Fault: `body_malformed`.
 */
export function readBody(
  request: Pick<CanonicalRequest, 'headers' | 'path'>,
  bytes: Uint8Array,
  complete: boolean,
  options: { readonly descriptors?: ProtoDescriptors | undefined } = {},
): Result<BodyReading, Fault> {
  const contentType = firstHeader(request.headers, 'content-type') ?? '';
  const kind = bodyKind(contentType);
  const other = otherReading(kind, contentType, request.headers);
  if (other !== undefined && bytes.length > 0) return malformed(other);
  if (kind === 'grpc') return readGrpcBody(request.path, bytes, options.descriptors);
  if (!complete) return ok(TRUNCATED);
  if (kind === 'none' || bytes.length === 0) return ok(UNREAD);
  const read = READERS[kind](bytes, contentType);
  return 'refused' in read ? malformed(read.refused) : ok({ parsed: read.value, truncated: false });
}

/**
 * How much of a body has a reading: all of it, the first message of a gRPC call (for which `enoughForGrpc` says when it is there), or nothing,
 * so that it need not be collected. A gRPC caller that streams waits for answers while it sends, so its body is never held back.
 */
export function bodyReading(
  request: Pick<CanonicalRequest, 'headers' | 'path' | 'style'>,
  descriptors: ProtoDescriptors | undefined,
): 'whole' | 'first-message' | 'none' {
  const kind = bodyKind(firstHeader(request.headers, 'content-type') ?? '');
  if (kind !== 'grpc') return kind === 'none' ? 'none' : 'whole';
  const message = grpcBodyKind(request, descriptors);
  // gRPC-Web and the like: framed the same, but not over a stream that could go on.
  return message === 'first-message' && request.style !== 'grpc' ? 'whole' : message;
}

type Read = { readonly value: unknown } | { readonly refused: string };

const READERS = {
  json: readJsonBytes,
  form: (bytes) => valueOrRefusal(parseParameters(UTF8_LENIENT.decode(bytes))),
  multipart: (bytes, contentType) => valueOrRefusal(readMultipart(contentType, bytes)),
} as const satisfies Record<Exclude<BodyKind, 'none' | 'grpc'>, (bytes: Uint8Array, contentType: string) => Read>;

function readJsonBytes(bytes: Uint8Array): Read {
  const text = strictText(bytes);
  return text === undefined ? { refused: 'JSON that is no UTF-8 (RFC 8259 8.1)' } : readJson(text);
}

function valueOrRefusal(read: unknown): Read {
  return typeof read === 'string' ? { refused: read } : { value: read };
}

function readGrpcBody(
  path: string,
  bytes: Uint8Array,
  descriptors: ProtoDescriptors | undefined,
): Result<BodyReading, Fault> {
  const read = readGrpc(path, bytes, descriptors);
  switch (read.kind) {
    case 'unread':
      return ok(UNREAD);
    case 'truncated':
      return ok(TRUNCATED);
    case 'read':
      return ok({ parsed: read.value, truncated: false });
    case 'malformed':
      return malformed(read.why);
    default:
      return unreachable(read);
  }
}

function unreachable(value: never): never {
  throw new TypeError(`unknown reading ${String(value)}`);
}

function malformed(detail: string): Result<never, Fault> {
  return err(fault('body_malformed', detail));
}
