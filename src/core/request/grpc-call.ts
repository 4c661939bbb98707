import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { isDigits } from './characters.ts';
import type { Fields } from './fields.ts';
import type { Target } from './target.ts';

/**
 * True where the content type is gRPC's: `application/grpc`, alone or followed by `+` or `;` (gRPC over HTTP2, "Requests").
 * `application/grpc-web` is another protocol.
 */
export function isGrpcContentType(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType.length < GRPC.length) return false;
  if (contentType.slice(0, GRPC.length).toLowerCase() !== GRPC) return false;
  const next = contentType.charAt(GRPC.length);
  return next === '' || next === '+' || next === ';';
}

const GRPC = 'application/grpc';

/**
 * Checks the head of a gRPC call (gRPC over HTTP2, "Requests"): POST, `te: trailers`, a path of service and method as plain text (gRPC servers
 * look the path up as it is, policies see it decoded), no query, a well-formed timeout. Fault: `grpc_malformed`.
 */
export function checkGrpcCall(method: string, target: Target, fields: Fields): Fault | undefined {
  if (method !== 'POST') return refused('the method is not POST');
  if (fields.te !== 'trailers') return refused('te: trailers is missing');
  if (target.query !== undefined) return refused('the path has a query');
  if (!/^\/[^/%]+\/[^/%]+$/.test(target.path)) return refused('the path is not /service/method in plain text');
  const timeout = fields.grpcTimeout;
  if (timeout !== undefined && grpcTimeoutMs(timeout) === undefined) return refused('grpc-timeout is not well-formed');
  return undefined;
}

/** Milliseconds in one unit of `grpc-timeout`. */
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1000],
  ['m', 1],
  ['u', 1e-3],
  ['n', 1e-6],
]);

/**
 * Reads `grpc-timeout`: at most eight digits and a unit; undefined where it is malformed. Milliseconds, rounded up. Zero is accepted although
 * the text of the specification says positive, because grpc-go sends `0n` when its deadline has passed.
 */
export function grpcTimeoutMs(text: string): number | undefined {
  const digits = text.slice(0, -1);
  const unit = UNIT_MS.get(text.slice(-1));
  return unit !== undefined && digits.length <= 8 && isDigits(digits) ? Math.ceil(Number(digits) * unit) : undefined;
}

function refused(detail: string): Fault {
  return fault('grpc_malformed', `${detail} (gRPC over HTTP2, Requests)`);
}
