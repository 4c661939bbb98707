import { declaresTcp, portNumber } from './guarded-ports.ts';
import { at, isMap, listAt, mapAt, textAt, without } from './json-value.ts';
import { HANDLERS, PROBE_KINDS, rewriteProbe } from './probes.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { GuardedPort } from './guarded-ports.ts';
import type { JsonMap } from './json-value.ts';
import type { OriginalContainer } from './original.ts';
import type { Named, Placed } from './pod.ts';
import type { ProbeKey } from './probes.ts';

/** A container of the agent beside a sidecar: its probes, the names of its ports and its end; nothing else of it is touched. */
export type Adapted = {
  readonly container: Named;
  readonly original: OriginalContainer;
  /** What the sidecar asks for the kubelet, by `CONTAINER/KIND`. */
  readonly targets: JsonMap;
  readonly refusals: readonly InjectionRefusal[];
  readonly warnings: readonly string[];
};

/** Adapts one container. `sleepSeconds`: how long it is to go on serving at its end, 0 for not at all. */
export function adaptContainer(
  placed: Placed,
  settings: InjectionSettings,
  guarded: readonly GuardedPort[],
  sleepSeconds: number,
): Adapted {
  const probed = adaptProbes(placed, settings);
  const named = settings.capture === 'plain' ? takePortNames(placed.container, guarded) : { change: {}, names: {} };
  const ending = adaptLifecycle(placed.container, settings, sleepSeconds);
  return {
    container: { ...placed.container, ...probed.change, ...named.change, ...ending.change },
    original: {
      ...(isEmpty(probed.handlers) ? {} : { probes: probed.handlers }),
      ...(isEmpty(named.names) ? {} : { ports: named.names }),
      ...ending.original,
    },
    targets: probed.targets,
    refusals: probed.refusals,
    warnings: settings.capture === 'redirect' ? kubeletCalls(placed) : [],
  };
}

type Probed = {
  readonly change: JsonMap;
  readonly handlers: Readonly<Record<string, JsonMap>>;
  readonly targets: JsonMap;
  readonly refusals: readonly InjectionRefusal[];
};

function adaptProbes(placed: Placed, settings: InjectionSettings): Probed {
  const { container } = placed;
  const none: Probed = { change: {}, handlers: {}, targets: {}, refusals: [] };
  const keys = Object.keys(PROBE_KINDS) as readonly ProbeKey[];
  return keys.reduce((all, key) => {
    const rewritten = rewriteProbe(placed, key, settings);
    if (!rewritten.ok) return { ...all, refusals: [...all.refusals, ...rewritten.error] };
    if (rewritten.value === undefined) return all;
    const { probe, target } = rewritten.value;
    const handler = HANDLERS.find((one) => at(at(container, key), one) !== undefined) ?? 'httpGet';
    return {
      ...all,
      change: { ...all.change, [key]: probe },
      handlers: { ...all.handlers, [key]: { [handler]: at(at(container, key), handler) } },
      targets: { ...all.targets, [`${container.name}/${PROBE_KINDS[key]}`]: target },
    };
  }, none);
}

/** The names of guarded ports go to the sidecar's, so that a Service with a named target port leads there. */
function takePortNames(
  container: Named,
  guarded: readonly GuardedPort[],
): { readonly change: JsonMap; readonly names: Readonly<Record<string, string>> } {
  const ports = listAt(container, 'ports');
  const isTaken = (entry: unknown) => declaresTcp(entry, guarded) && textAt(entry, 'name') !== undefined;
  const names = ports
    .filter(isTaken)
    .map((entry) => [String(at(entry, 'containerPort')), textAt(entry, 'name') ?? ''] as const);
  if (names.length === 0) return { change: {}, names: {} };
  const left = ports.map((entry) => (isMap(entry) && isTaken(entry) ? without(entry, 'name') : entry));
  return { change: { ports: left }, names: Object.fromEntries(names) };
}

/** A pause before the end for who has none, so that what still comes is served; names of ports, where they are taken, become numbers. */
function adaptLifecycle(
  container: Named,
  settings: InjectionSettings,
  sleepSeconds: number,
): { readonly change: JsonMap; readonly original: OriginalContainer } {
  const before = mapAt(container, 'lifecycle');
  const numbered = settings.capture === 'plain' ? withNumbers(container, before) : before;
  const isPaused = sleepSeconds > 0 && at(before, 'preStop') === undefined;
  const after = isPaused ? { ...numbered, preStop: { sleep: { seconds: sleepSeconds } } } : numbered;
  if (after === before) return { change: {}, original: {} };
  const lifecycle = at(container, 'lifecycle') === undefined ? null : before;
  return { change: { lifecycle: after }, original: { lifecycle, lifecycleNow: after } };
}

function withNumbers(container: Named, lifecycle: JsonMap): JsonMap {
  const changed = lifecycleCalls(lifecycle).flatMap(({ hook, handler, call }) => {
    const number = typeof call['port'] === 'string' ? portNumber(container, call['port']) : undefined;
    return number === undefined
      ? []
      : [[hook, { ...mapAt(lifecycle, hook), [handler]: { ...call, port: number } }] as const];
  });
  return changed.length === 0 ? lifecycle : { ...lifecycle, ...Object.fromEntries(changed) };
}

/** The kubelet's own calls at start and end reach the sidecar's listener for peers, where it has no certificate. */
function kubeletCalls({ path, container }: Placed): readonly string[] {
  return lifecycleCalls(mapAt(container, 'lifecycle'))
    .filter(({ call }) => (textAt(call, 'host') ?? '') === '')
    .map(
      ({ hook, handler }) =>
        `${path}.lifecycle.${hook}.${handler}: the kubelet has no certificate and will be refused; use exec or sleep`,
    );
}

function lifecycleCalls(lifecycle: JsonMap) {
  return (['postStart', 'preStop'] as const).flatMap((hook) =>
    (['httpGet', 'tcpSocket'] as const).flatMap((handler) => {
      const call = at(at(lifecycle, hook), handler);
      return isMap(call) ? [{ hook, handler, call }] : [];
    }),
  );
}

function isEmpty(map: JsonMap): boolean {
  return Object.keys(map).length === 0;
}
