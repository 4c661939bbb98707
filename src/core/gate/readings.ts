import { ok } from '../kernel/result.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { InputNeeds } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import type { CanonicalRequest } from '../model/request.ts';
import { bodyReading, readBody } from '../request/body.ts';
import { enoughForGrpc, type ProtoDescriptors } from '../request/grpc-body.ts';
import { parsedPath, parsedQuery } from '../request/parsed-target.ts';
import type { CollectedBody, Enough } from './exchange.ts';
import { requestInput, type ConnectionInput, type RequestReadings } from './input.ts';

/** Everything the input of one request is made from. */
export type ReadFrom = {
  readonly base: ConnectionInput;
  readonly request: CanonicalRequest;
  readonly requestId: string;
  readonly receivedAtMs: number;
  readonly needs: InputNeeds;
  readonly collected: CollectedBody | undefined;
  readonly descriptors: ProtoDescriptors | undefined;
};

/** The input, always; and the fault for which OPA-Envoy denies before any policy runs (contract section 1, last rule). */
export type ReadInput = { readonly input: PolicyInput; readonly fault: Fault | undefined };

const NO_PARAMETERS: Readonly<Record<string, readonly string[]>> = Object.freeze({});
const NO_QUERY: ReturnType<typeof parsedQuery> = Object.freeze(ok(NO_PARAMETERS));

/** How much of the body to collect before the decision; undefined: none. Bodies that have no reading, and streams, are never held back. */
export function bodyWanted(
  request: CanonicalRequest,
  needs: InputNeeds,
  descriptors: ProtoDescriptors | undefined,
): { readonly enough: Enough | undefined } | undefined {
  if (request.body.kind === 'none' || request.style === 'websocket') return undefined;
  if (!needs.parsedBody && !needs.rawBody) return undefined;
  const reading = bodyReading(request, descriptors);
  if (reading === 'first-message') return { enough: enoughForGrpc };
  if (reading === 'whole') return { enough: undefined };
  return needs.rawBody && request.style === 'http' ? { enough: undefined } : undefined;
}

/** Reads path, query and body as OPA-Envoy does, and builds the input from them. */
export function readInput(from: ReadFrom): ReadInput {
  const query = from.request.query === undefined ? NO_QUERY : parsedQuery(from.request.query);
  const body = readCollected(from);
  const readings: RequestReadings = {
    parsedPath: parsedPath(from.request.path),
    parsedQuery: query.ok ? query.value : NO_PARAMETERS,
    body: body.reading,
  };
  const input = requestInput(from.base, from.request, from.requestId, from.receivedAtMs, from.needs, readings);
  return { input, fault: query.ok ? body.fault : query.error };
}

function readCollected(from: ReadFrom): {
  readonly reading: RequestReadings['body'];
  readonly fault: Fault | undefined;
} {
  const { needs, collected, request } = from;
  if (!needs.parsedBody && !needs.rawBody) return { reading: undefined, fault: undefined };
  if (collected === undefined) return { reading: { parsed: null, truncated: false, raw: undefined }, fault: undefined };
  const raw = needs.rawBody ? Buffer.from(collected.bytes).toString('utf8') : undefined;
  if (!collected.complete && request.style !== 'grpc') {
    // OPA-Envoy: a body that was cut off is not read, and says so.
    const tooLarge = fault(
      'body_too_large',
      `the policy reads the body, and it is longer than ${collected.bytes.length} bytes`,
    );
    return { reading: { parsed: null, truncated: true, raw }, fault: tooLarge };
  }
  const read = readBody(request, collected.bytes, collected.complete, { descriptors: from.descriptors });
  if (!read.ok) return { reading: { parsed: null, truncated: false, raw }, fault: read.error };
  if (read.value.truncated) return { reading: { ...read.value, raw }, fault: brokenOff(collected) };
  return { reading: { ...read.value, raw }, fault: undefined };
}

/** A gRPC message of which only a part is there: OPA-Envoy would ask the policy without it, and a caller could hide from a policy by being long. */
function brokenOff({ bytes, complete }: CollectedBody): Fault {
  return complete
    ? fault('body_malformed', 'the message is shorter than its prefix says')
    : fault('body_too_large', `the policy reads the message, and it is longer than ${bytes.length} bytes`);
}
