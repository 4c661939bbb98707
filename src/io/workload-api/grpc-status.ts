/** The status codes that this room sends or treats in a way of its own (gRPC, "Status codes and their use"). */
export const GRPC = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** How a call ended, as its server says it. */
export type GrpcStatus = { readonly code: number; readonly message: string };

const NAMES: readonly string[] = [
  'OK',
  'Cancelled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** The longest part of a status message that is shown, in characters. */
const MAX_SHOWN = 256;

/** For the operator: the code's name, and what the server said about it. */
export function showStatus({ code, message }: GrpcStatus): string {
  const name = NAMES[code] ?? `status ${code}`;
  return message === '' ? name : `${name}: ${message}`;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** `grpc-status` and `grpc-message` of trailers, or of the head of a trailers-only answer; undefined where there is no usable status. */
export function statusIn(headers: Headers): GrpcStatus | undefined {
  const code = headers['grpc-status'];
  if (typeof code !== 'string' || !/^\d{1,4}$/.test(code)) return undefined;
  const message = headers['grpc-message'];
  return { code: Number(code), message: typeof message === 'string' ? decodeMessage(message) : '' };
}

/** What an HTTP status means where a gRPC status is missing (gRPC, "HTTP to gRPC Status Code Mapping"). */
export function statusOfHttp(http: number): GrpcStatus {
  return { code: HTTP_CODES[http] ?? GRPC.unknown, message: `HTTP status ${http}` };
}

const HTTP_CODES: Readonly<Record<number, number>> = {
  400: GRPC.internal,
  401: GRPC.unauthenticated,
  403: GRPC.permissionDenied,
  404: GRPC.unimplemented,
  429: GRPC.unavailable,
  502: GRPC.unavailable,
  503: GRPC.unavailable,
  504: GRPC.unavailable,
};

/** As the two header fields; the message percent-encoded (gRPC over HTTP2, "Percent-Encoded"). */
export function statusFields({ code, message }: GrpcStatus): Readonly<Record<string, string>> {
  return { 'grpc-status': String(code), ...(message !== '' && { 'grpc-message': encodeURIComponent(message) }) };
}

/** Undoes percent-encoding; what is not UTF-8 stays as it came (the protocol demands no more), and nothing that is no plain text reaches a log. */
function decodeMessage(text: string): string {
  const shown = text.slice(0, 3 * MAX_SHOWN);
  return tryDecode(shown)
    .slice(0, MAX_SHOWN)
    .replaceAll(/[^\P{C}]/gu, '?');
}

function tryDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
