import { DEFAULT_BUNDLE_LIMITS } from './limits.ts';

import type { BundleLimits } from './limits.ts';
import type { Verification } from './verify-signature.ts';

/** How a bundle is read. */
export type ReadOptions = {
  /** Default: `DEFAULT_BUNDLE_LIMITS`. */
  readonly limits?: BundleLimits | undefined;
  /** With it only signed bundles are read, without it only unsigned ones. */
  readonly verification?: Verification | undefined;
};

export function limitsOf(options: ReadOptions): BundleLimits {
  return options.limits ?? DEFAULT_BUNDLE_LIMITS;
}
