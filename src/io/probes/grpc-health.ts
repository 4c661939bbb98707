/*
 * The two messages of `grpc.health.v1.Health/Check` (gRPC, "GRPC Health Checking Protocol") and their framing (gRPC over HTTP/2, "Length-Prefixed-Message").
 */

/** `HealthCheckResponse.ServingStatus.SERVING`. */
const SERVING = 1;

const PREFIX = 5;

/** `HealthCheckRequest{service = 1}` as one message of a stream. */
export function healthRequest(service: string): Uint8Array {
  const name = Buffer.from(service, 'utf8');
  const field =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(field.length, 1);
  return Buffer.concat([prefix, field]);
}

/** Whether a stream of messages is exactly one `HealthCheckResponse` that says SERVING. False for anything else, however broken. */
export function saysServing(stream: Uint8Array): boolean {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
  if (bytes.length < PREFIX || bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - PREFIX) return false;
  return statusOf(bytes.subarray(PREFIX)) === SERVING;
}

/** `HealthCheckResponse{status = 1}`: the last one counts, unknown fields are passed over (Protocol Buffers, "Encoding"). */
function statusOf(message: Uint8Array): number | undefined {
  let status = 0;
  let at = 0;
  while (at < message.length) {
    const key = readVarint(message, at);
    if (key === undefined) return undefined;
    const [wire, field] = [key.value % 8, Math.floor(key.value / 8)];
    const value = wire === 0 || wire === 2 ? readVarint(message, key.next) : undefined;
    if (field === 0) return undefined;
    if (wire === 1 || wire === 5) at = key.next + (wire === 1 ? 8 : 4);
    else if (value === undefined) return undefined;
    else {
      if (wire === 0 && field === 1) status = value.value;
      at = wire === 0 ? value.next : value.next + value.value;
    }
  }
  return at === message.length ? status : undefined;
}

type Varint = { readonly value: number; readonly next: number };

/** At most ten bytes; undefined where it does not end. What is larger than a number can hold is large enough to be no status and no length. */
function readVarint(bytes: Uint8Array, from: number): Varint | undefined {
  let value = 0;
  for (let at = from; at < Math.min(bytes.length, from + 10); at += 1) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - from));
    if (byte < 0x80) return { value, next: at + 1 };
  }
  return undefined;
}

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return [...bytes, left];
}
