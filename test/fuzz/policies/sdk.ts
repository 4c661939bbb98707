import { CONFLICT, UNDEFINED, valueLine } from './answers.ts';
import type { Line } from './answers.ts';

type Sdk = {
  setData(data: unknown): void;
  evaluate(input: unknown, entrypoint: string): readonly { readonly result: unknown }[];
};
/** The declarations of the package leave out its default export. */
type SdkModule = { readonly default: { loadPolicySync(wasm: Uint8Array, memory: object): Sdk } };

const { default: sdk } = (await import('@open-policy-agent/opa-wasm')) as unknown as SdkModule;

/** OPA's SDK with one module that needs no built-ins of its host. */
export function openSdk(wasm: Uint8Array, dataJson: string): (entrypoint: string, inputJson: string) => Line {
  const policy = sdk.loadPolicySync(wasm, { initial: 64, maximum: 256 });
  policy.setData(JSON.parse(dataJson));
  return (entrypoint, inputJson) => {
    try {
      const [row] = policy.evaluate(JSON.parse(inputJson), entrypoint);
      return row === undefined ? UNDEFINED : valueLine(row.result);
    } catch (thrown) {
      const text = typeof thrown === 'string' ? thrown : String((thrown as { readonly message?: unknown }).message);
      return text.endsWith('conflict') ? CONFLICT : `!${text}`;
    }
  };
}
