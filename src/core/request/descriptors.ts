import type { Field, NamespaceBase, ReflectionObject, Service, Type } from 'protobufjs';

import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import type { ProtoDescriptors, ProtoMethod } from './grpc-body.ts';
import { MAX_JSON_KEYS } from './json-text.ts';

/**
 * Reads a `FileDescriptorSet` (`protoc --include_imports --descriptor_set_out`). The library is loaded here, so that processes without a
 * descriptor set do not pay for it. The error is a sentence for the operator.
 */
export async function loadDescriptors(bytes: Uint8Array): Promise<Result<ProtoDescriptors, string>> {
  const [{ default: protobuf }, { default: protojson }] = await Promise.all([
    import('protobufjs/light.js'),
    import('protobufjs/ext/protojson.js'),
    import('protobufjs/ext/descriptor.js'),
  ]);
  try {
    const methods = new Map<string, ProtoMethod>();
    for (const service of servicesOf(protobuf.Root.fromDescriptor(bytes))) {
      for (const method of service.methodsArray) {
        method.resolve();
        const input = method.resolvedRequestType;
        if (input === null) return err(`${method.fullName} has no request type`);
        methods.set(`/${service.fullName.slice(1)}/${method.name}`, {
          clientStreaming: method.requestStream === true,
          toJson: (message) => protojson.toJson(input, tidied(input, input.decode(message))) as unknown,
        });
      }
    }
    return methods.size > 0 ? ok({ methods }) : err('the descriptor set has no service');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return err(`not a usable descriptor set (was it made with --include_imports?): ${why}`);
  }
}

function* servicesOf(namespace: NamespaceBase): Generator<Service> {
  for (const child of namespace.nestedArray) {
    if (isService(child)) yield child;
    else if ('nestedArray' in child) yield* servicesOf(child as NamespaceBase);
  }
}

/** By shape, for the classes are not loaded with this module. */
function isService(child: ReflectionObject): child is Service {
  return 'methodsArray' in child;
}

type Decoded = Record<string, unknown>;

/**
 * A decoded message made fit for ProtoJSON, in place: `float` values in the fewest digits that give the same float, as Go's protojson writes
 * them (0.1, where JavaScript would print 0.10000000149011612), and maps within the bound that JSON objects have. Depth was bounded by
 * decoding (100 levels). Throws where a map is too large.
 */
function tidied<Message extends object>(type: Type, message: Message): Message {
  const values = message as unknown as Decoded;
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(values, field.name)) continue;
    const value = values[field.name];
    if (field.map) tidyMap(field, value as Decoded);
    else if (Array.isArray(value)) value.forEach((each, index) => (value[index] = tidyValue(field, each)));
    else values[field.name] = tidyValue(field, value);
  }
  return message;
}

function tidyMap(field: Field, map: Decoded): void {
  const keys = Object.keys(map);
  if (keys.length > MAX_JSON_KEYS) throw new RangeError(`more than ${MAX_JSON_KEYS} keys in one map`);
  for (const key of keys) map[key] = tidyValue(field, map[key]);
}

function tidyValue(field: Field, value: unknown): unknown {
  if (field.type === 'float' && typeof value === 'number') return shortestFloat(value);
  const inner = field.resolvedType;
  return inner !== null && 'fieldsArray' in inner && typeof value === 'object' && value !== null
    ? tidied(inner, value)
    : value;
}

/** Nine significant digits always suffice for a float (IEEE 754-2019 section 5.12.2). */
function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}
