import { createHash } from 'node:crypto';

import type { InjectorConfig } from '../core/config/injector-config.ts';
import { configMark } from '../core/injection/config-mark.ts';
import { err, ok } from '../core/kernel/result.ts';
import { createAdmin, type Admin, type PartState } from '../io/admin/admin.ts';
import { createApiClient, type ApiClient } from '../io/kube/api-client.ts';
import { CONFIG_MAPS } from '../io/kube/api-resource.ts';
import { inCluster } from '../io/kube/in-cluster.ts';
import { createMountedCertificate } from '../io/kube/mounted-certificate.ts';
import type { ServingSource } from '../io/kube/served-certificate.ts';
import { createServingCertificate } from '../io/kube/serving-certificate.ts';
import { createWebhookServer, type WebhookServer } from '../io/kube/webhook-server.ts';
import type { PolicyService } from '../io/policy-service/policy-service.ts';
import type { PolicySubject } from '../io/policy-service/settings.ts';
import { createSource, type Source } from '../io/sources/follower.ts';
import { fingerprint } from '../io/sources/fingerprint.ts';
import type { Problems } from '../io/sources/problem.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createInjectorMetrics, type InjectorFigures, type InjectorMetrics } from '../io/telemetry/injector-metrics.ts';
import { createLog, type Log } from '../io/telemetry/log.ts';
import { answerAdmission, type InjectorKnowledge } from './injector-admission.ts';
import { followClusterPolicies, type ClusterPolicies } from './injector-policies.ts';
import { createNamespacePolicies } from './policy-service.ts';
import { stopSignal } from './stop-signal.ts';
import { createRandom, systemClock } from './system.ts';

/** Exit codes of the process: as everywhere in the command line. */
const DONE = 0;
const OUTSIDE = 3;

const ADMIN_GRACE_MS = 500;
const MAX_ROOTS = 1_048_576;
/** Most bytes of an event's message that API servers take (events.k8s.io: 1 kB). */
const MAX_MESSAGE = 1_000;

/** The injector as a process: webhook and policy service until SIGTERM or SIGINT. Resolves with the exit code: 0 after a drain, 3 when it could not start. */
export async function runInjector(config: InjectorConfig, version: string): Promise<number> {
  const log = createLog(config.log.level);
  const stopped = stopSignal();
  const api = inCluster(process.env);
  if (!api.ok) {
    log.error({}, api.error);
    return OUTSIDE;
  }
  const running = new RunningInjector(config, version, log, api.value);
  try {
    await running.start();
  } catch (error) {
    log.error({}, error instanceof Error ? error.message : String(error));
    await running.stop(0);
    return OUTSIDE;
  }
  const { drain } = config.webhook;
  log.info({ signal: await stopped, drain_ms: drain, grace_ms: config.shutdown.grace }, 'stopping');
  await running.stop(drain);
  log.info({}, 'stopped');
  return DONE;
}

/** Webhook, its certificate, the policies of namespaces and the health of one process. Without effects until `start`. */
class RunningInjector {
  readonly #config: InjectorConfig;
  readonly #version: string;
  readonly #log: Log;
  readonly #api: ApiClient;
  readonly #metrics: InjectorMetrics;
  readonly #serving: ServingSource;
  readonly #webhook: WebhookServer;
  readonly #roots: Source<string> | undefined;
  readonly #service: PolicyService | undefined;
  readonly #policies: ClusterPolicies | undefined;
  readonly #admin: Admin;

  constructor(config: InjectorConfig, version: string, log: Log, settings: Parameters<typeof createApiClient>[0]) {
    this.#config = config;
    this.#version = version;
    this.#log = log;
    this.#metrics = createInjectorMetrics(
      { version },
      { figures: () => this.#figures(), nowMs: () => systemClock.wallMs() },
    );
    this.#api = createApiClient(settings, {
      readFile: readBounded,
      timer: systemTimer,
      onFault: (verb, fault) => this.#metrics.apiFailed(verb, fault.kind),
    });
    this.#serving = this.#servingSource();
    this.#webhook = this.#webhookServer();
    this.#roots = config.trust.roots === undefined ? undefined : this.#rootsSource(config.trust.roots);
    const { policyService, sidecar } = config;
    this.#service =
      policyService &&
      createNamespacePolicies(policyService, {
        log,
        onProblem: (subject, problems) => void this.#tellOwner(subject, problems),
      });
    this.#policies =
      policyService &&
      this.#service &&
      followClusterPolicies(policyService, sidecar.trustDomain, {
        api: this.#api,
        service: this.#service,
        onProblem: this.#tell('platform policy'),
      });
    this.#admin = createAdmin(
      { listen: config.health.listen, unsafeBeyondLoopback: true },
      {
        health: () => ({ ok: true, detail: 'running' }),
        ready: async () => this.#readiness(),
        metrics: () => this.#metrics.metrics(),
        metricsType: this.#metrics.contentType,
        // By these `kube status` knows which pods an older injector, or other settings, made.
        status: () => ({ version, config: configMark(config.sidecar, version) }),
        log,
      },
    );
  }

  async start(): Promise<void> {
    this.#log.info({ ...(await this.#admin.start()) }, 'health listening');
    this.#serving.start();
    await Promise.all([this.#roots?.start(), this.#policies?.start()]);
    if (this.#service !== undefined) this.#log.info({ ...(await this.#service.start()) }, 'policy service listening');
    this.#log.info({ ...(await this.#webhook.start()), version: this.#version }, 'webhook listening');
  }

  async stop(drainMs: number): Promise<void> {
    await this.#webhook.stop(drainMs, this.#config.shutdown.grace);
    this.#roots?.stop();
    await Promise.all([this.#policies?.stop(), this.#service?.stop(), this.#serving.stop()]);
    await this.#admin.stop(ADMIN_GRACE_MS);
    await this.#api.stop();
  }

  #servingSource(): ServingSource {
    const { certificate } = this.#config.webhook;
    const world = { timer: systemTimer, log: this.#log };
    if (certificate.source === 'files')
      return createMountedCertificate(certificate, { ...world, readFile: readBounded });
    const { namespace } = this.#config;
    const { secret, configuration, service, lives } = certificate;
    const name = `${service}.${namespace}.svc`;
    return createServingCertificate(
      { namespace, secret, configuration, dnsNames: [name, `${name}.cluster.local`], leafMs: lives },
      { ...world, api: this.#api, clock: systemClock, random: createRandom() },
    );
  }

  #webhookServer(): WebhookServer {
    const { listen, path, maxBytes, connections, timeout } = this.#config.webhook;
    return createWebhookServer(
      { listen, path, limits: { bodyBytes: maxBytes, connections, answerMs: timeout } },
      {
        serving: this.#serving,
        answer: (text) => answerAdmission(text, this.#config.sidecar, this.#knowledge(), this.#log),
        observer: this.#metrics,
        clock: systemClock,
        timer: systemTimer,
        log: this.#log,
      },
    );
  }

  /** A sidecar without roots could never find its authority: no pod is let in before they are there. */
  #knowledge(): InjectorKnowledge {
    const roots = this.#roots === undefined ? '' : this.#roots.current;
    if (roots === undefined) return { kind: 'unknown', why: 'the authority has published no roots yet' };
    return {
      kind: 'known',
      facts: { version: this.#version, roots },
      labels: (namespace) => this.#policies?.labels(namespace) ?? {},
    };
  }

  #rootsSource(file: string): Source<string> {
    return createSource<string, string>(
      {
        fingerprint: () => fingerprint([file]),
        folders: () => [],
        read: async () => {
          const read = await readBounded(file, MAX_ROOTS);
          return read.ok ? ok(new TextDecoder().decode(read.value.bytes)) : err([read.error]);
        },
        digest: (pem) => pem,
        apply: async (pem) =>
          pem.startsWith('-----BEGIN CERTIFICATE-----') ? ok(pem) : err([`${file}: holds no certificate in PEM`]),
      },
      { onProblem: this.#tell('roots') },
    );
  }

  #readiness(): Readonly<Record<string, PartState>> {
    const knowledge = this.#knowledge();
    const missing = this.#policies?.missing;
    return {
      webhook: {
        ok: this.#webhook.ready,
        detail: this.#serving.problem ?? (this.#webhook.ready ? 'serving' : 'no certificate yet, or stopping'),
      },
      trust: { ok: knowledge.kind === 'known', detail: knowledge.kind === 'known' ? 'known' : knowledge.why },
      policies: { ok: missing === undefined, detail: missing ?? 'served' },
    };
  }

  #figures(): InjectorFigures {
    const revisions = this.#service?.revisions() ?? new Map<string, string>();
    const problems = this.#service?.problems() ?? new Map<string, readonly string[]>();
    const names = [...new Set([...revisions.keys(), ...problems.keys()].map((key) => key.split('/')[0] ?? ''))];
    return {
      servingNotAfterMs: this.#serving.current()?.notAfterMs,
      caBundleInPlace: this.#serving.trusted,
      watches: this.#policies?.watches ?? [],
      namespaces: names.filter(Boolean).map((namespace) => ({
        namespace,
        revision: revisions.get(namespace),
        candidateRevision: revisions.get(`${namespace}/candidate`),
        problem: problems.has(namespace) || problems.has(`${namespace}/candidate`),
      })),
    };
  }

  #tell(source: string): (problems: Problems | undefined) => void {
    return (problems) => {
      if (problems === undefined) this.#log.info({ source }, 'the source is good again');
      for (const problem of problems ?? []) this.#log.error({ source }, problem);
    };
  }

  /** An event on the ConfigMap, where its owner looks. Its name follows from what it says: however many replicas tell it, it is there once. */
  async #tellOwner(subject: PolicySubject, problems: readonly string[] | undefined): Promise<void> {
    const { policyService } = this.#config;
    if (subject.kind === 'platform' || problems === undefined || policyService === undefined) return;
    const { namespace } = subject;
    const name = subject.kind === 'policy' ? policyService.configMap : policyService.candidateConfigMap;
    const message = `the last good policy stays in force: ${problems.join('; ')}`.slice(0, MAX_MESSAGE);
    const mark = createHash('sha256').update(message).digest('hex').slice(0, 16);
    const at = new Date(systemClock.wallMs()).toISOString();
    const created = await this.#api.create(
      { group: '', version: 'v1', plural: 'events', namespace },
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: `${name}.${mark}`, namespace },
        involvedObject: { apiVersion: CONFIG_MAPS.version, kind: 'ConfigMap', namespace, name },
        reason: 'PolicyRefused',
        message,
        type: 'Warning',
        source: { component: 'sallyport-injector' },
        firstTimestamp: at,
        lastTimestamp: at,
        count: 1,
      },
    );
    if (!created.ok && created.error.kind !== 'conflict')
      this.#log.warn({ namespace, problem: created.error.detail }, 'an event could not be written');
  }
}
