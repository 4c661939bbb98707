import { METHOD } from './method.ts';
import { readBundlesUpdate, readWorkloadUpdate } from './read-update.ts';
import { createWatch } from './watch.ts';

import type { BundlesUpdate, WorkloadUpdate } from './read-update.ts';
import type { Watch, WatchDeps } from './watch.ts';

/** `socket`: `unix:///absolute/path` or `tcp://IP:port`; see `socketOf` for the default. */
export type WorkloadApiSettings = { readonly socket: string | undefined };

/**
 * Follows our X509-SVIDs, the bundles and revocation lists that come with them (`FetchX509SVID`, SPIFFE_Workload_API 5.2.1). Every update is the whole
 * state; a message that is wrong anywhere changes nothing and is reported. A stream that ended is opened again at once, then with back-off; after
 * `InvalidArgument` or `Unimplemented` only by `reload`.
 */
export function createWorkloadApiClient(settings: WorkloadApiSettings, deps: WatchDeps<WorkloadUpdate>): Watch {
  return createWatch({ socket: settings.socket, method: METHOD.x509Svid, read: readWorkloadUpdate }, deps);
}

/** Follows only whom to believe (`FetchX509Bundles`, SPIFFE_Workload_API 5.2.2), for a process that gets its own identity elsewhere. */
export function createWorkloadBundlesClient(settings: WorkloadApiSettings, deps: WatchDeps<BundlesUpdate>): Watch {
  return createWatch({ socket: settings.socket, method: METHOD.x509Bundles, read: readBundlesUpdate }, deps);
}
