/*
 * `sallyport/identity`: the rules by which a sidecar judges its peers and an authority what it issues. docs/library.md has an example.
 */

export { pemBlocks } from '../core/identity/pem.ts';
export { parseSpiffeId } from '../core/identity/spiffe-id.ts';
export { verifyChain } from '../core/identity/verify-chain.ts';

export type { Verdict } from '../core/identity/verify.ts';
export type { Fault } from '../core/model/faults.ts';
