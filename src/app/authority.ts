import type { AuthorityConfig } from '../core/config/authority-config.ts';
import { formatSpiffeBundle } from '../core/identity/spiffe-bundle.ts';
import type { SpiffeId, TrustDomain } from '../core/kernel/brand.ts';
import type { TrustDocument } from '../core/model/svid.ts';
import { createAuthorityService, type AuthorityService } from '../io/authority/http-service.ts';
import type { IssuingAuthority } from '../io/authority/issuing-authority.ts';
import { usualOwnId } from '../io/authority/own-svid.ts';
import { createIssuingLimits, DEFAULT_ISSUING_RATES } from '../io/authority/rate-limit-issuing.ts';
import { createIssuingAuthority } from '../io/authority/running-authority.ts';
import { createTokenReviewer, inClusterReview, type TokenReviewer } from '../io/authority/token-review.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createLog, type Log } from '../io/telemetry/log.ts';
import { createWorkloadApiServer, type WorkloadApiServer } from '../io/workload-api/server.ts';
import { workloadIssuer } from './authority-workloads.ts';
import { caKeys } from './ca-keys.ts';
import { stopSignal } from './stop-signal.ts';
import { createRandom, systemClock } from './system.ts';

/** Exit codes of the process: as everywhere in the command line. */
const DONE = 0;
const OUTSIDE = 3;

const world = { clock: systemClock, timer: systemTimer } as const;

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
  readonly #reviewer: TokenReviewer | undefined;
  readonly #service: AuthorityService;
  readonly #workloads: WorkloadApiServer | undefined;
  #problem: string | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(config: AuthorityConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    const { listen, crl, limits } = config;
    this.#authority = issuingAuthority(config);
    this.#reviewer = config.kubernetes && reviewerOf(config.kubernetes);
    this.#service = createAuthorityService(
      {
        listen,
        crlListen: crl?.listen,
        limits: {
          connections: limits.connections,
          strangers: { perSecond: limits.perSource, burst: 4 * limits.perSource },
        },
      },
      { ...world, authority: this.#authority, reviewer: this.#reviewer, formatBundle, log },
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
    this.#look();
    if (this.#workloads === undefined) return;
    await this.#workloads.start();
    this.#log.info({ socket: this.#config.workloadApi?.socket }, 'workload API listening');
  }

  async stop(): Promise<void> {
    this.#cancelLook?.();
    const { grace } = this.#config.shutdown;
    await Promise.all([this.#workloads?.stop(grace), this.#service.stop(grace), this.#reviewer?.stop()]);
    await this.#authority.stop();
  }

  /** Says what is wrong with what the authority does by itself, such as lists that its token no longer signs, and when it is over. */
  #look(): void {
    const { problem } = this.#authority.figures();
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

function issuingAuthority(config: AuthorityConfig): IssuingAuthority {
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
    },
    {
      ...world,
      random: createRandom(),
      limits: createIssuingLimits(rates, systemClock),
      openKey: caKeys(dir, passphrase),
    },
  );
}

/** The identity of an authority, as configured or by its trust domain. */
function ownId({ id, trustDomain }: AuthorityConfig): SpiffeId {
  return id ?? usualOwnId(trustDomain as TrustDomain);
}

function reviewerOf(kubernetes: NonNullable<AuthorityConfig['kubernetes']>): TokenReviewer {
  const { audience, api, trustBundle, token } = kubernetes;
  const mounted = inClusterReview(process.env, audience);
  if (api === undefined && !mounted.ok) throw new Error(`kubernetes.api: ${mounted.error}`);
  const found = mounted.ok ? mounted.value : { url: '', audience, tokenFile: '', caFile: '' };
  const settings = {
    ...found,
    ...(api !== undefined && { url: api }),
    ...(trustBundle !== undefined && { caFile: trustBundle }),
    ...(token !== undefined && { tokenFile: token }),
  };
  return createTokenReviewer(settings, { readFile: readBounded, timer: systemTimer });
}

/** The bundle of the authority's own trust domain, for whoever federates with it. */
function formatBundle({ bundles, refreshHintMs = 300_000, sequence = 0 }: TrustDocument): string {
  const roots = [...bundles.values()].flat();
  return formatSpiffeBundle(roots, { sequence, refreshHintSeconds: Math.round(refreshHintMs / 1_000) });
}
