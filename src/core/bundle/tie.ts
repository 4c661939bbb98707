import { createHash } from 'node:crypto';

import { hex } from '../kernel/uuid.ts';
import { ok } from '../kernel/result.ts';
import { MODULE, PLAN } from './bundle-files.ts';
import { refuse } from './fault.ts';
import { utf8 } from './member-name.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { SallyportMetadata } from './sallyport-metadata.ts';
import type { Files } from './tar-reader.ts';

/** What ties a plan to its module in a manifest. */
export type Tie = { readonly wasm_sha256: string; readonly plan_sha256: string };

/** The tie of a module and the plan that was made with it. */
export function tieOf(policyWasm: Uint8Array, planJson: string): Tie {
  return { wasm_sha256: sha256(policyWasm), plan_sha256: sha256(planJson) };
}

/**
 * The plan that may be believed about the module: inputs are cut down to what it reads, so a plan of another policy would hide what decides. Without a tie in
 * the manifest none is believed (OPA never writes plan and module into one bundle); with one, both must be what it says: `plan_not_of_module`.
 */
export function tiedPlan(files: Files, tie: SallyportMetadata): Result<string | undefined, BundleFault> {
  const module = files.get(MODULE);
  if (module === undefined) return ok(undefined);
  const plan = files.get(PLAN);
  if (tie.wasm_sha256 !== undefined && tie.wasm_sha256 !== sha256(module))
    return broken(`${MODULE} is not the one that .manifest names (metadata.sallyport.wasm_sha256)`);
  if (tie.plan_sha256 === undefined || tie.wasm_sha256 === undefined) return ok(undefined);
  if (plan === undefined)
    return broken(`${PLAN} is not there, and .manifest names it (metadata.sallyport.plan_sha256)`);
  if (tie.plan_sha256 !== sha256(plan))
    return broken(`${PLAN} is not the one that .manifest names (metadata.sallyport.plan_sha256)`);
  const text = utf8(plan);
  return text === undefined ? refuse('data_invalid', `${PLAN}: not UTF-8`) : ok(text);
}

function broken(what: string): Result<never, BundleFault> {
  return refuse('plan_not_of_module', `${what}; build the bundle again with \`sallyport policy build\``);
}

function sha256(content: Uint8Array | string): string {
  return hex(createHash('sha256').update(content).digest());
}
