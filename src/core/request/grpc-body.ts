import type { CanonicalRequest } from '../model/request.ts';

/** One method of a descriptor set, as far as the reading of its requests goes. */
export type ProtoMethod = {
  /** True where the caller may send more than one message. */
  readonly clientStreaming: boolean;
  /** The ProtoJSON value of one encoded request message. Throws where the bytes are no such message. */
  readonly toJson: (message: Uint8Array) => unknown;
};

/** The methods of a descriptor set by path, `/package.Service/Method`. Made by `descriptors.ts`. */
export type ProtoDescriptors = { readonly methods: ReadonlyMap<string, ProtoMethod> };

/** Compressed flag and message length (gRPC over HTTP2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/**
 * How much of a gRPC body must be collected for its first message: undefined never, for the prefix says. Fits `Enough` of `core/gate`. The
 * collector's own limit bounds what a lying prefix can ask for.
 */
export function enoughForGrpc(soFar: Uint8Array): number | undefined {
  // A compressed message is not read (OPA-Envoy), so nothing more is wanted of it.
  return soFar.length < PREFIX_BYTES || soFar[0] !== 0 ? PREFIX_BYTES : PREFIX_BYTES + messageLength(soFar);
}

/**
 * What of a gRPC call's body a policy can read: the first message of unary and server-streaming calls whose method is in the descriptor set,
 * else nothing. A caller that streams waits for answers while it sends, so its body must never be held back.
 */
export function grpcBodyKind(
  request: Pick<CanonicalRequest, 'path'>,
  descriptors: ProtoDescriptors | undefined,
): 'first-message' | 'none' {
  return readableMethod(request.path, descriptors) === undefined ? 'none' : 'first-message';
}

/** What a gRPC body says: no reading, cut off, a value, or not what its method takes. */
export type GrpcReading =
  | { readonly kind: 'unread' }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'read'; readonly value: unknown }
  | { readonly kind: 'malformed'; readonly why: string };

/**
 * `parsed_body` of a gRPC call as OPA-Envoy makes it: the first message, uncompressed only, in ProtoJSON (64-bit integers as strings, enums
 * by name, default values left out). `unread` where there are no bytes, no descriptors, no such method, or where the caller streams.
 */
export function readGrpc(path: string, bytes: Uint8Array, descriptors: ProtoDescriptors | undefined): GrpcReading {
  if (descriptors === undefined || bytes.length === 0) return { kind: 'unread' };
  if (!/^\/[^/]+\/[^/]+$/.test(path)) return { kind: 'malformed', why: 'the path is not /service/method' };
  if (bytes.length < PREFIX_BYTES) return { kind: 'malformed', why: 'less than a message prefix' };
  if (bytes[0] !== 0) return { kind: 'unread' };
  const end = PREFIX_BYTES + messageLength(bytes);
  if (end > bytes.length) return { kind: 'truncated' };
  const method = readableMethod(path, descriptors);
  if (method === undefined) return { kind: 'unread' };
  try {
    return { kind: 'read', value: method.toJson(bytes.subarray(PREFIX_BYTES, end)) };
  } catch (cause) {
    return { kind: 'malformed', why: cause instanceof Error ? cause.message : 'not such a message' };
  }
}

function readableMethod(path: string, descriptors: ProtoDescriptors | undefined): ProtoMethod | undefined {
  const method = descriptors?.methods.get(path);
  return method === undefined || method.clientStreaming ? undefined : method;
}

/** Unsigned, big-endian, after the flag. */
function messageLength(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset + 1, 4).getUint32(0);
}
