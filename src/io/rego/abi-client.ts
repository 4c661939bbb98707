import { limitMemory } from './memory-limit.ts';
import { createWasiShim } from './wasi-shim.ts';

import type { Answer, Operation } from './protocol.ts';

/** One running instance of the compiler. Calls are synchronous; after a throw the instance must not be used again. */
export interface CompilerInstance {
  /** Throws if the instance ends itself or traps; whatever is wrong with the request is in the answer. */
  call(operation: Operation, args: unknown): Answer;
  /** Size of its linear memory, which never shrinks. */
  memoryBytes(): number;
}

/** What `go/abi.go` exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly _initialize: () => void;
  rego_alloc(size: number): number;
  rego_call(address: number, size: number): bigint;
  rego_free(address: number): void;
}

/** Instantiates the compiler (`wasm` is the raw module) with at most `maxPages` pages of 64 KiB. Takes about 0.25 s. */
export function instantiateCompiler(wasm: Uint8Array<ArrayBuffer>, maxPages: number): CompilerInstance {
  const module = new WebAssembly.Module(limitMemory(wasm, maxPages));
  const late: { exports?: Exports } = {};
  const shim = createWasiShim(module, () => (late.exports as Exports).memory.buffer);
  const exports = new WebAssembly.Instance(module, shim.imports).exports as unknown as Exports;
  late.exports = exports;
  exports['_initialize']();
  return {
    call: (operation, args) => {
      try {
        return exchange(exports, { operation, arguments: args });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error([reason, shim.output()].filter((part) => part !== '').join(': '), { cause: error });
      }
    },
    memoryBytes: () => exports.memory.buffer.byteLength,
  };
}

function exchange(exports: Exports, request: unknown): Answer {
  const sent = new TextEncoder().encode(JSON.stringify(request, bytesAsBase64));
  const address = exports.rego_alloc(sent.length) >>> 0;
  // Any call may grow memory and so replace the buffer: it is read again after each.
  new Uint8Array(exports.memory.buffer, address, sent.length).set(sent);
  const packed = BigInt.asUintN(64, exports.rego_call(address, sent.length));
  const answerAddress = Number(packed >> 32n);
  const answerLength = Number(packed & 0xffff_ffffn);
  const text = new TextDecoder().decode(new Uint8Array(exports.memory.buffer, answerAddress, answerLength));
  exports.rego_free(answerAddress);
  return JSON.parse(text) as Answer;
}

/** Go's `encoding/json` reads `[]byte` from base64. */
function bytesAsBase64(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? value.toBase64() : value;
}
