import { GRPC } from './grpc-status.ts';
import { writeX509BundlesResponse } from './messages.ts';
import { bundlesOf } from './served-trust.ts';

import type { WorkloadIssuer } from './issuer.ts';
import type { Outbox } from './outbox.ts';
import type { ServedStream } from './svid-stream.ts';

/** Creates the stream of `FetchX509Bundles`: whom to believe, for callers of this socket that have an identity (SPIFFE_Workload_API 5.2.2). */
export function createBundleStream(outbox: Outbox, issuer: WorkloadIssuer): ServedStream {
  let sent: string | undefined;
  let isClosed = false;
  const look = (): void => {
    if (isClosed) return;
    const trust = issuer.trust();
    if (issuer.identities().length === 0 || trust.bundles.size === 0) {
      isClosed = true;
      outbox.end({ code: GRPC.permissionDenied, message: 'no identity issued' });
    } else if (trust.revision !== sent) {
      sent = trust.revision;
      outbox.send(writeX509BundlesResponse({ crls: trust.crls, bundles: bundlesOf(trust) }));
    }
  };
  return { start: look, changed: look, close: () => void (isClosed = true) };
}
