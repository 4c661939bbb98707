import type { InjectionRefusal, JsonPatchOperation } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';

/** A pod that is to be made, as the API server or a manifest has it. */
export type InjectionAsk = {
  readonly pod: unknown;
  readonly namespace: {
    readonly name: string;
    /** Of the namespace. Whether it is injected into at all was decided by whoever asks (the webhook's selectors); here they only serve warnings. */
    readonly labels: Readonly<Record<string, string>>;
  };
};

/** What becomes of a pod that is let in. */
export type Injection =
  | {
      readonly kind: 'injected';
      /** From the pod that was asked about to `pod`, RFC 6902; empty where it is injected already. */
      readonly patch: readonly JsonPatchOperation[];
      readonly pod: JsonMap;
      /** For the pod's owner, at most 256 characters each. */
      readonly warnings: readonly string[];
    }
  /** The pod asked for no sidecar, and the platform lets pods ask that. */
  | { readonly kind: 'skipped'; readonly reason: string };

/** A refusal in one line. */
export function refusal(kind: InjectionRefusal['kind'], path: string, message: string): InjectionRefusal {
  return { kind, path, message };
}
