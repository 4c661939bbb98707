import type { FirstRoots, IdentitySettings } from '../core/config/identity-settings.ts';
import { parseSpiffeId } from '../core/identity/spiffe-id.ts';
import { createTrustStore } from '../core/identity/trust-store.ts';
import { readToken } from '../io/enrolment/token-file.ts';
import { readFirstRoots } from '../io/sources/authority-part.ts';
import { createFilesPart } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { parseEndpoint, SOCKET_VARIABLE, socketOf } from '../io/workload-api/endpoint.ts';
import { followIdentity } from './identity.ts';
import { systemClock } from './system.ts';

/** What `check` finds of an identity. `from`: where it comes from when it is not at hand; it was not asked. */
export type IdentityFindings = {
  readonly problems: Problems;
  readonly warnings: readonly string[];
  readonly own?: { readonly id: string; readonly notAfter: string };
  readonly from?: string;
};

/**
 * Reads what the configuration names, as the sidecar does at its start. An authority or a Workload API is not asked: a join token serves once, and
 * an identity is nobody's but the sidecar's that runs with it.
 */
export async function checkIdentity(settings: IdentitySettings): Promise<IdentityFindings> {
  switch (settings.source) {
    case 'files':
      return checkFiles(settings);
    case 'authority': {
      const { url, id, token, method } = settings.authority;
      const read = await readToken({ token, method }, readBounded);
      const problems = [...(read.ok ? [] : [read.error]), ...(await rootProblems(settings.authority, id))];
      return { ...(await checkTrust(settings, problems)), from: `the authority at ${url}` };
    }
    case 'workload-api': {
      const socket = socketOf(settings.workloadApi.socket, process.env);
      const parsed = socket === undefined ? undefined : parseEndpoint(socket);
      const missing = `identity.workloadApi.socket: no socket is named, nor does ${SOCKET_VARIABLE} name one`;
      const problems = parsed === undefined ? [missing] : parsed.ok ? [] : [parsed.error];
      return { ...(await checkTrust(settings, problems)), from: `the Workload API at ${socket ?? 'no socket'}` };
    }
    default:
      return settings satisfies never;
  }
}

async function checkFiles(settings: IdentitySettings): Promise<IdentityFindings> {
  const identity = followIdentity(settings);
  try {
    await identity.start();
    const { own, warnings = [] } = identity.current ?? {};
    return {
      problems: identity.problem ?? [],
      warnings,
      ...(own && { own: { id: own.spiffeId, notAfter: new Date(own.validUntilMs).toISOString() } }),
    };
  } finally {
    identity.stop();
  }
}

/** The trust that stands in files beside an identity from elsewhere. */
async function checkTrust(settings: IdentitySettings, problems: Problems): Promise<IdentityFindings> {
  const { trustBundles, revocationLists } = settings;
  const trust = createFilesPart({ trustBundles, revocationLists }, { clock: systemClock });
  try {
    await trust.start();
    return { problems: [...problems, ...(trust.problem ?? [])], warnings: trust.current?.warnings ?? [] };
  } finally {
    trust.stop();
  }
}

/** The roots that the authority is checked with at the first contact. */
async function rootProblems(roots: FirstRoots, authorityId: string): Promise<Problems> {
  const [certificates, id] = [await readFirstRoots(roots), parseSpiffeId(authorityId)];
  if (!certificates.ok) return [certificates.error];
  if (!id.ok) return [id.error.detail];
  const place = roots.trustBundle ?? 'identity.authority.trustBundle';
  const store = createTrustStore(new Map([[id.value.trustDomain, certificates.value]]));
  return store.ok ? [] : store.error.map(({ detail }) => `${place}: ${detail}`);
}
