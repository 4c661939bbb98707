import type { AuthorityConfig } from '../core/config/authority-config.ts';
import { formatSpiffeBundle } from '../core/identity/spiffe-bundle.ts';
import type { SpiffeId, TrustDomain } from '../core/kernel/brand.ts';
import type { TrustDocument } from '../core/model/svid.ts';
import type { Admin } from '../io/admin/admin.ts';
import { createAuthorityService, type AuthorityService } from '../io/authority/http-service.ts';
import type { IssuingAuthority } from '../io/authority/issuing-authority.ts';
import { usualOwnId } from '../io/authority/own-svid.ts';
import { createIssuingLimits, DEFAULT_ISSUING_RATES } from '../io/authority/rate-limit-issuing.ts';
import { createIssuingAuthority } from '../io/authority/running-authority.ts';
import type { TrustConfigMap } from '../io/authority/trust-config-map.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createLog, type Log } from '../io/telemetry/log.ts';
import { createWorkloadApiServer, type WorkloadApiServer } from '../io/workload-api/server.ts';
import { clusterOf, publicationOf, type AuthorityCluster } from './authority-cluster.ts';
import { createAuthorityHealth } from './authority-health.ts';
import { workloadIssuer } from './authority-workloads.ts';
import { caKeys } from './ca-keys.ts';
import { stopSignal } from './stop-signal.ts';
import { createRandom, systemClock } from './system.ts';

/** Exit codes of the process: as everywhere in the command line. */
const DONE = 0;
const OUTSIDE = 3;

const world = { clock: systemClock, timer: systemTimer } as const;

/** How long a probe or a scraper may take to read its last answer when the process ends, milliseconds. */
const HEALTH_GRACE_MS = 500;

/** How often it is looked whether something is wrong with what the authority does by itself, milliseconds. */
const LOOK_MS = 2_000;

/** The authority as a process: serves until SIGTERM or SIGINT. Resolves with the exit code: 0 after a drain, 3 when it could not start. */
export async function runAuthority(config: AuthorityConfig): Promise<number> {
  const log = createLog(config.log.level);
  const stopped = stopSignal();
  const running = new RunningAuthority(config, log);
  try {
    await running.start();
  } catch (error) {
    log.error({}, error instanceof Error ? error.message : String(error));
    await running.stop();
    return OUTSIDE;
  }
  log.info({ signal: await stopped, grace_ms: config.shutdown.grace }, 'stopping');
  await running.stop();
  log.info({}, 'stopped');
  return DONE;
}

/** Issuing, the HTTPS service and the Workload API of one process. Without effects until `start`. */
class RunningAuthority {
  readonly #config: AuthorityConfig;
  readonly #log: Log;
  readonly #authority: IssuingAuthority;
  readonly #cluster: AuthorityCluster | undefined;
  readonly #service: AuthorityService;
  readonly #workloads: WorkloadApiServer | undefined;
  #publication: TrustConfigMap | undefined;
  #health: Admin | undefined;
  #problem: string | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(config: AuthorityConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    const { listen, crl, limits } = config;
    this.#cluster = config.kubernetes && clusterOf(config.kubernetes);
    this.#authority = issuingAuthority(config, this.#cluster);
    this.#service = createAuthorityService(
      {
        listen,
        crlListen: crl?.listen,
        limits: {
          connections: limits.connections,
          strangers: { perSecond: limits.perSource, burst: 4 * limits.perSource },
        },
      },
      { ...world, authority: this.#authority, reviewer: this.#cluster?.judge, formatBundle, log },
    );
    this.#workloads = this.#workloadApi();
  }

  async start(): Promise<void> {
    await this.#authority.start();
    const { https, crl } = await this.#service.start();
    this.#log.info(
      { ...https, trust_domain: this.#config.trustDomain, id: ownId(this.#config) },
      'authority listening',
    );
    if (crl !== undefined) this.#log.info({ ...crl }, 'lists listening');
    await this.#publish();
    await this.#startHealth();
    this.#look();
    if (this.#workloads === undefined) return;
    await this.#workloads.start();
    this.#log.info({ socket: this.#config.workloadApi?.socket }, 'workload API listening');
  }

  async stop(): Promise<void> {
    this.#cancelLook?.();
    const { grace } = this.#config.shutdown;
    this.#publication?.stop();
    await Promise.all([
      this.#health?.stop(HEALTH_GRACE_MS),
      this.#workloads?.stop(grace),
      this.#service.stop(grace),
      this.#cluster?.api.stop(),
    ]);
    await this.#authority.stop();
  }

  /** The publication goes on by itself, also while the API server is away. */
  async #publish(): Promise<void> {
    const { kubernetes } = this.#config;
    if (kubernetes === undefined || this.#cluster === undefined) return;
    const publication = await publicationOf(kubernetes, this.#cluster, this.#authority, formatBundle);
    this.#publication = publication;
    if (publication === undefined) return;
    this.#authority.onTrust(() => publication.changed());
    publication.start();
  }

  async #startHealth(): Promise<void> {
    const { health } = this.#config;
    if (health === undefined) return;
    const parts = { authority: this.#authority, service: this.#service, publication: this.#publication };
    this.#health = await createAuthorityHealth(health, parts, this.#log);
    this.#log.info({ ...(await this.#health.start()) }, 'health listening');
  }

  /** Says what is wrong with what the authority does by itself, such as lists that its token no longer signs, and when it is over. */
  #look(): void {
    const { problem: own, podProblem } = this.#authority.figures();
    const all = [own, podProblem, this.#publication?.problem].filter((one) => one !== undefined);
    const problem = all.length === 0 ? undefined : all.join('; ');
    if (problem !== this.#problem) {
      if (problem === undefined) this.#log.info({}, 'the authority does all its work again');
      else this.#log.error({ problem }, 'the authority cannot do all its work');
    }
    this.#problem = problem;
    this.#cancelLook = systemTimer(LOOK_MS, () => this.#look());
  }

  #workloadApi(): WorkloadApiServer | undefined {
    const { workloadApi } = this.#config;
    if (workloadApi === undefined) return undefined;
    const { socket, group, identities } = workloadApi;
    const served = identities.map(({ id, hint }) => ({ spiffeId: id, hint }));
    return createWorkloadApiServer(
      { path: socket, access: group ? 'group' : 'owner' },
      {
        ...world,
        random: createRandom(),
        issuer: workloadIssuer(this.#authority, served),
        onProblem: (detail) => this.#log.warn({ detail }, 'the Workload API has nothing to give'),
      },
    );
  }
}

function issuingAuthority(config: AuthorityConfig, cluster: AuthorityCluster | undefined): IssuingAuthority {
  const { dir, trustDomain, lifetimes, kubernetes, workloadApi, limits, privateKey, passphrase } = config;
  const rates = { ...DEFAULT_ISSUING_RATES, id: { perSecond: limits.perId / 60, burst: Math.max(60, limits.perId) } };
  return createIssuingAuthority(
    {
      folder: dir,
      trustDomain: trustDomain as TrustDomain,
      ownId: ownId(config),
      kubernetes: kubernetes && {
        template: kubernetes.id ?? `spiffe://${trustDomain}/ns/{namespace}/sa/{serviceAccount}`,
        namespaces: kubernetes.namespaces,
      },
      workloads: workloadApi?.identities.map(({ id }) => id) ?? [],
      leafTtlMs: lifetimes.leaf,
      crlTtlMs: lifetimes.list,
      issuingKey: privateKey,
      podProof: cluster?.podProof,
    },
    {
      ...world,
      random: createRandom(),
      limits: createIssuingLimits(rates, systemClock),
      openKey: caKeys(dir, passphrase),
      pods: cluster?.pods,
    },
  );
}

/** The identity of an authority, as configured or by its trust domain. */
function ownId({ id, trustDomain }: AuthorityConfig): SpiffeId {
  return id ?? usualOwnId(trustDomain as TrustDomain);
}

/** The bundle of the authority's own trust domain, for whoever federates with it. */
function formatBundle({ bundles, refreshHintMs = 300_000, sequence = 0 }: TrustDocument): string {
  const roots = [...bundles.values()].flat();
  return formatSpiffeBundle(roots, { sequence, refreshHintSeconds: Math.round(refreshHintMs / 1_000) });
}
