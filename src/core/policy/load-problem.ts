import { REFUSED_BUILTINS } from './refused-builtins.ts';

/** Why a policy cannot go live. The one that is active stays active (promise 7). */
export type LoadProblem =
  /** Not a WebAssembly module, newer than the MVP, or not made by OPA's compiler. */
  | { readonly kind: 'module_invalid'; readonly detail: string }
  /** A module, but not of ABI 1.2 or later. */
  | { readonly kind: 'abi_unsupported'; readonly detail: string }
  | { readonly kind: 'entrypoint_missing'; readonly entrypoint: string; readonly available: readonly string[] }
  /** Built-in functions that the policy calls and this host does not have; all of them. */
  | { readonly kind: 'builtins_missing'; readonly names: readonly string[] }
  /** The data documents are no JSON object, or hold text that is no Unicode. */
  | { readonly kind: 'data_invalid'; readonly detail: string }
  /** Data and the largest input leave no room in the memory that a policy may have. */
  | { readonly kind: 'memory_exceeded'; readonly detail: string }
  /** A probe input ended in an error instead of an answer. */
  | { readonly kind: 'probe_failed'; readonly probe: string; readonly detail: string }
  /** The reference evaluator gave another answer to a probe input, or none. */
  | { readonly kind: 'probe_disagrees'; readonly probe: string; readonly detail: string };

/** One line for an operator. */
export function describeLoadProblem(problem: LoadProblem): string {
  switch (problem.kind) {
    case 'module_invalid':
      return `policy.wasm is not a usable policy module: ${problem.detail}`;
    case 'abi_unsupported':
      return `policy.wasm is not of OPA's ABI 1.2 or later: ${problem.detail}`;
    case 'entrypoint_missing':
      return `the policy has no entrypoint ${problem.entrypoint}; it has ${problem.available.join(', ') || 'none'}`;
    case 'builtins_missing':
      return `the policy needs built-in functions that are not available here: ${problem.names.map(withReason).join(', ')}`;
    case 'data_invalid':
      return `the policy's data cannot be used: ${problem.detail}`;
    case 'memory_exceeded':
      return `the policy's data does not fit: ${problem.detail}`;
    case 'probe_failed':
      return `the policy failed on the probe input "${problem.probe}": ${problem.detail}`;
    case 'probe_disagrees':
      return `the reference evaluator disagrees on the probe input "${problem.probe}": ${problem.detail}`;
    default:
      return problem satisfies never;
  }
}

function withReason(name: string): string {
  return Object.hasOwn(REFUSED_BUILTINS, name) ? `${name} (${REFUSED_BUILTINS[name] ?? ''})` : name;
}
