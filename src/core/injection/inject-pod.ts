import { err, ok } from '../kernel/result.ts';
import { adaptContainer } from './agent-container.ts';
import { withAdmitted } from './admitted.ts';
import { forbidden, readAnnotations } from './annotations.ts';
import { configMark } from './config-mark.ts';
import { containerRefusals } from './container-checks.ts';
import { planEnding } from './endings.ts';
import { agentContainers, planPorts } from './guarded-ports.ts';
import { refusal } from './injection.ts';
import { jsonPatch } from './json-patch.ts';
import { textAt } from './json-value.ts';
import { meshRefusals } from './mesh-checks.ts';
import { PREFIX, WRITTEN, isOurVolume } from './names.ts';
import { writeOriginal } from './original.ts';
import { ourVolumes, redirectContainer, sidecarContainer } from './our-containers.ts';
import { podRefusals } from './pod-checks.ts';
import { allContainers, readPod, withParts } from './pod.ts';
import { boundedWarnings, podWarnings } from './pod-warnings.ts';
import { redirectOfPod } from './redirect-of-pod.ts';
import { restore } from './restore.ts';
import { sidecarConfig } from './sidecar-config.ts';

import type { Result } from '../kernel/result.ts';
import type { InjectionFacts, InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Adapted } from './agent-container.ts';
import type { Asked } from './asked.ts';
import type { Ending } from './endings.ts';
import type { PortPlan } from './guarded-ports.ts';
import type { Injection, InjectionAsk } from './injection.ts';
import type { Named, Pod } from './pod.ts';
import type { Restored } from './restore.ts';

/** Everything that was found out about a pod before anything of it is written. */
type Plan = {
  readonly asked: Asked;
  readonly ports: PortPlan;
  readonly ending: Ending;
  /** The agent's containers as they will be, by name. */
  readonly adapted: ReadonlyMap<string, Adapted>;
};

/** RFC 1123: names of namespaces and service accounts, which become part of the pod's SPIFFE ID. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/**
 * Puts the sidecar into a pod: whatever came before, in front of everything that the pod brings along, and with no more said of the pod's own containers than that their
 * probes go through the sidecar and their end waits for the last calls. Pure; injecting the outcome again gives an empty patch. Fails with every reason
 * at once. Never throws.
 */
export function injectPod(
  ask: InjectionAsk,
  settings: InjectionSettings,
  facts: InjectionFacts,
): Result<Injection, readonly InjectionRefusal[]> {
  const read = readPod(ask.pod);
  if (!read.ok) return read;
  const wish = optOut(read.value, settings);
  if (!wish.ok) return wish;
  if (wish.value) return ok({ kind: 'skipped', reason: `the pod's label ${PREFIX}inject is disabled` });
  const restored = restore(read.value);
  if (!restored.ok) return restored;
  const { pod } = restored.value;
  const { asked, refusals: misread } = readAnnotations(pod, settings);
  const plan = planOf(pod, asked);
  const refusals = [...readiness(settings, facts), ...misread, ...names(pod, ask), ...refusalsOf(pod, plan)];
  if (refusals.length > 0) return err(refusals);
  const injected = assemble(restored.value, plan, ask.namespace.name, settings, facts);
  const warnings = [
    ...plan.ports.warnings,
    ...[...plan.adapted.values()].flatMap((one) => one.warnings),
    ...podWarnings(pod, ask.namespace.labels, asked.settings),
  ];
  const patch = jsonPatch(read.value.whole, injected.whole);
  return ok({ kind: 'injected', patch, pod: injected.whole, warnings: boundedWarnings(warnings) });
}

/** Whether the pod wants no sidecar, and may say so. */
function optOut({ labels }: Pod, settings: InjectionSettings): Result<boolean, readonly InjectionRefusal[]> {
  const value = labels[`${PREFIX}inject`];
  if (value === undefined || value === 'enabled') return ok(false);
  const path = `metadata.labels[${PREFIX}inject]`;
  if (value !== 'disabled') return err([refusal('annotation_malformed', path, 'expected enabled or disabled')]);
  return settings.overrides.includes('opt-out')
    ? ok(true)
    : err([refusal('annotation_forbidden', path, forbidden('opt-out'))]);
}

function planOf(pod: Pod, asked: Asked): Plan {
  const ports = planPorts(pod, asked);
  const ending = planEnding(pod, ports.guarded, asked.settings.drainDelay);
  const adapted = agentContainers(pod).map((placed) => {
    const sleep = ending.paused.has(placed.container.name) ? ending.sleepSeconds : 0;
    return [placed.container.name, adaptContainer(placed, asked.settings, ports.guarded, sleep)] as const;
  });
  return { asked, ports, ending, adapted: new Map(adapted) };
}

function readiness({ identity }: InjectionSettings, { roots }: InjectionFacts): InjectionRefusal[] {
  if (identity.source !== 'authority' || roots.trim() !== '') return [];
  return [
    refusal('not_ready', '', 'the injector does not know the roots of the trust domain yet; try again in a moment'),
  ];
}

function names({ spec }: Pod, { namespace }: InjectionAsk): InjectionRefusal[] {
  return [
    ...(NAMESPACE.test(namespace.name)
      ? []
      : [refusal('pod_malformed', 'metadata.namespace', 'no name of a namespace')]),
    ...(SUBDOMAIN.test(serviceAccountOf(spec))
      ? []
      : [refusal('pod_malformed', 'spec.serviceAccountName', 'no name of a service account')]),
  ];
}

function serviceAccountOf(spec: Pod['spec']): string {
  return textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount') || 'default';
}

function refusalsOf(pod: Pod, { asked, ports, ending, adapted }: Plan): readonly InjectionRefusal[] {
  const { settings } = asked;
  return [
    ...podRefusals(pod, settings),
    ...meshRefusals(pod, settings),
    ...allContainers(pod).flatMap((placed) => containerRefusals(placed, [settings.uid], settings)),
    ...pod.volumes.flatMap(({ name }, index) =>
      isOurVolume(name)
        ? [
            refusal(
              'volume_taken',
              `spec.volumes[${index}].name`,
              `${name} is the name of an injected volume; choose another one`,
            ),
          ]
        : [],
    ),
    ...ports.refusals,
    ...ending.refusals,
    ...[...adapted.values()].flatMap((one) => one.refusals),
  ];
}

function assemble(
  { pod, found }: Restored,
  plan: Plan,
  namespace: string,
  settings: InjectionSettings,
  facts: InjectionFacts,
): Pod {
  const { asked, ports, ending, adapted } = plan;
  const config = sidecarConfig({
    namespace,
    serviceAccount: serviceAccountOf(pod.spec),
    settings: asked.settings,
    facts,
    guarded: ports.guarded,
    probes: Object.assign({}, ...[...adapted.values()].map(({ targets }) => targets)) as Readonly<
      Record<string, unknown>
    >,
    graceSeconds: ending.graceSeconds,
  });
  const redirect =
    asked.settings.capture === 'redirect'
      ? [redirectContainer(asked.settings, redirectOfPod(asked.settings, ports))]
      : [];
  const ours = [...redirect, sidecarContainer(asked.settings, ports.guarded, config)];
  const adapt = (one: Named): Named => adapted.get(one.name)?.container ?? one;
  const { grace } = ending;
  return withParts(pod, {
    labels: { ...pod.labels, [`${PREFIX}${WRITTEN.injected}`]: 'true' },
    annotations: { ...pod.annotations, ...marks(plan, settings, facts) },
    initContainers: [...ours.map((one) => withAdmitted(one, found)), ...pod.initContainers.map(adapt)],
    containers: pod.containers.map(adapt),
    // In front, because others append: what stands where it stood needs no patch.
    volumes: [...ourVolumes(asked.settings), ...pod.volumes],
    spec: grace === undefined ? pod.spec : { ...pod.spec, terminationGracePeriodSeconds: grace.is },
  });
}

/** Who injected what, and what to put back. */
function marks(
  { adapted, ending: { grace } }: Plan,
  settings: InjectionSettings,
  facts: InjectionFacts,
): Readonly<Record<string, string>> {
  const changed = [...adapted].filter(([, { original }]) => Object.keys(original).length > 0);
  const containers = Object.fromEntries(changed.map(([name, { original }]) => [name, original]));
  return {
    [`${PREFIX}${WRITTEN.version}`]: facts.version,
    [`${PREFIX}${WRITTEN.config}`]: configMark(settings, facts.version),
    [`${PREFIX}${WRITTEN.original}`]: writeOriginal(grace === undefined ? { containers } : { containers, grace }),
  };
}
