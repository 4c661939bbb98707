import type { AuthorityConfig } from '../core/config/authority-config.ts';
import { createAdmin, type Admin, type PartState } from '../io/admin/admin.ts';
import type { AuthorityService } from '../io/authority/http-service.ts';
import type { IssuingAuthority } from '../io/authority/issuing-authority.ts';
import type { TrustConfigMap } from '../io/authority/trust-config-map.ts';
import type { AuthorityMetricFigures } from '../io/telemetry/authority-metrics.ts';
import type { Log } from '../io/telemetry/log.ts';
import { systemClock } from './system.ts';
import { ownVersion } from './own-version.ts';

/** The parts of an authority at work. */
export type AuthorityParts = {
  readonly authority: Pick<IssuingAuthority, 'figures'>;
  readonly service: Pick<AuthorityService, 'figures'>;
  /** Undefined where nothing is published. */
  readonly publication: Pick<TrustConfigMap, 'isPublished' | 'problem'> | undefined;
};

/** Serves health, readiness and metrics of an authority to whoever reaches the address: nothing of it is secret, and nothing can be changed by it. */
export async function createAuthorityHealth(
  { listen }: NonNullable<AuthorityConfig['health']>,
  parts: AuthorityParts,
  log: Log,
): Promise<Admin> {
  // The metrics library is loaded only where metrics are served.
  const { createAuthorityMetrics } = await import('../io/telemetry/authority-metrics.ts');
  const metrics = createAuthorityMetrics(ownVersion(), () => metricFigures(parts));
  return createAdmin(
    { listen, unsafeBeyondLoopback: true },
    {
      health: () => ({ ok: true, detail: 'running' }),
      ready: () => Promise.resolve(authorityReadiness(parts, systemClock.wallMs())),
      metrics: () => metrics.metrics(),
      metricsType: metrics.contentType,
      log,
    },
  );
}

/**
 * Ready while it can issue, its lists are current, and its roots were published. What an authority can work on without, such as the API server for a while, is told
 * and makes it no less ready: taken out of its service it could not renew anybody.
 */
export function authorityReadiness(
  { authority, publication }: Pick<AuthorityParts, 'authority' | 'publication'>,
  atMs: number,
): Readonly<Record<string, PartState>> {
  const { issuerEndsMs, nextUpdateMs, problem, podProblem } = authority.figures();
  const told = problem ?? 'current';
  return {
    issuing:
      issuerEndsMs > atMs ? good('the issuing certificate is in force') : bad(problem ?? 'nothing can be issued'),
    lists: nextUpdateMs > atMs ? good(told) : bad(`a revocation list is overdue: ${told}`),
    pods: good(podProblem === undefined ? 'asked for where needed' : `renewed by earlier proof: ${podProblem}`),
    ...(publication !== undefined && { publication: publicationState(publication) }),
  };
}

function publicationState({ isPublished, problem }: NonNullable<AuthorityParts['publication']>): PartState {
  if (problem === undefined) return isPublished ? good('published') : bad('not yet published');
  return isPublished ? good(`published before; ${problem}`) : bad(problem);
}

function metricFigures({ authority, service, publication }: AuthorityParts): AuthorityMetricFigures {
  const { problem, ...figures } = authority.figures();
  const { connections, waiting, refusals } = service.figures();
  const isPublished = publication && publication.isPublished && publication.problem === undefined;
  return { ...figures, connections, waiting, refusals, isWell: problem === undefined, isPublished };
}

function good(detail: string): PartState {
  return { ok: true, detail };
}

function bad(detail: string): PartState {
  return { ok: false, detail };
}
