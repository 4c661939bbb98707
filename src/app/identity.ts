import type { IdentitySettings } from '../core/config/identity-settings.ts';
import { createIdentitySource, type IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { FollowOptions, Source } from '../io/sources/follower.ts';
import { systemClock } from './system.ts';

/** Where the identity of a sidecar comes from, as its configuration says. Without effects until it is started. */
export function followIdentity(
  settings: IdentitySettings,
  options: FollowOptions<IdentitySnapshot> = {},
): Source<IdentitySnapshot> {
  if (settings.source !== 'files') throw new TypeError(`no identity from ${settings.source} yet`);
  return createIdentitySource(settings, { clock: systemClock, ...options });
}
