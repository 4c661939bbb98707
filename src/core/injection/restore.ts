import { err, ok } from '../kernel/result.ts';
import { refusal } from './injection.ts';
import { at, isMap, listAt, mapAt, numberAt, sameJson, textAt, without } from './json-value.ts';
import { PREFIX, REDIRECT_ARGS, SIDECAR, SIDECAR_ARGS, VOLUMES, WRITTEN, isOurName } from './names.ts';
import { readOriginal } from './original.ts';
import { isNativeSidecar, withParts } from './pod.ts';
import { HANDLERS, PROBE_KINDS, probePath } from './probes.ts';

import type { Result } from '../kernel/result.ts';
import type { InjectionRefusal } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';
import type { Original, OriginalContainer } from './original.ts';
import type { Named, Pod } from './pod.ts';
import type { ProbeKey } from './probes.ts';

/** A pod without our parts, and our containers as they were found in it. */
export type Restored = { readonly pod: Pod; readonly found: readonly Named[] };

/** What each of our volumes is, so that a volume of somebody else under our name is not thrown away. */
const VOLUME_KINDS: Readonly<Record<string, string>> = {
  [VOLUMES.token]: 'projected',
  [VOLUMES.run]: 'emptyDir',
  [VOLUMES.spiffe]: 'csi',
};

/**
 * Takes the parts of an earlier injection out of a pod again; a pod that bears no mark of one is given back as it is. What is not recognised stays, and is
 * refused by the checks of names. So a pod that was injected already, or copied from one that was, gets today's sidecar and nothing twice.
 */
export function restore(pod: Pod): Result<Restored, readonly InjectionRefusal[]> {
  const text = pod.annotations[`${PREFIX}${WRITTEN.original}`];
  if (text === undefined) return ok({ pod, found: [] });
  const read = readOriginal(text);
  if (!read.ok) {
    const path = `metadata.annotations[${PREFIX}${WRITTEN.original}]`;
    return err([refusal('annotation_malformed', path, `expected ${read.error}; remove it`)]);
  }
  const found = pod.initContainers.filter(isOurs);
  const containers = (list: readonly Named[]) => list.map((one) => restoredContainer(one, read.value));
  return ok({
    found,
    pod: withParts(pod, {
      initContainers: containers(pod.initContainers.filter((one) => !isOurs(one))),
      containers: containers(pod.containers),
      volumes: pod.volumes.filter((volume) => !isOurVolumeAsMade(volume)),
      spec: restoredGrace(pod.spec, read.value),
    }),
  });
}

function isOurs(container: Named): boolean {
  if (!isOurName(container.name) || at(container, 'command') !== undefined) return false;
  const isSidecar = container.name === SIDECAR;
  return (
    isNativeSidecar(container) === isSidecar &&
    sameJson(at(container, 'args'), isSidecar ? SIDECAR_ARGS : REDIRECT_ARGS)
  );
}

function isOurVolumeAsMade(volume: Named): boolean {
  const kind = VOLUME_KINDS[volume.name];
  return kind !== undefined && at(volume, kind) !== undefined;
}

function restoredGrace(spec: JsonMap, { grace }: Original): JsonMap {
  const key = 'terminationGracePeriodSeconds';
  if (grace === undefined || numberAt(spec, key) !== grace.is) return spec;
  return grace.was === null ? without(spec, key) : { ...spec, [key]: grace.was };
}

function restoredContainer(container: Named, original: Original): Named {
  const before = mapAt(original.containers, container.name) as OriginalContainer;
  const probed = Object.entries(mapAt(before, 'probes')).reduce<JsonMap>(
    (all, [key, handler]) => ({ ...all, ...restoredProbe(container, key, handler) }),
    {},
  );
  const kept = restoredLifecycle({ ...container, ...probed }, before);
  const ports = listAt(container, 'ports').map((entry) => restoredPort(entry, mapAt(before, 'ports')));
  return { ...kept, name: container.name, ...(ports.length === 0 ? {} : { ports }) };
}

/** The probe with its own handler again, if it still goes through the sidecar; whatever else was changed in it meanwhile stays. */
function restoredProbe(container: Named, key: string, handler: unknown): JsonMap {
  if (!Object.hasOwn(PROBE_KINDS, key) || !isMap(handler)) return {};
  const probe = mapAt(container, key);
  const asked = mapAt(probe, 'httpGet');
  const isOurs =
    textAt(asked, 'path') === probePath(container.name, key as ProbeKey) && numberAt(asked, 'port') !== undefined;
  const name = HANDLERS.find((one) => isMap(at(handler, one)));
  if (!isOurs || name === undefined) return {};
  return { [key]: { ...without(probe, 'httpGet'), [name]: handler[name] } };
}

function restoredLifecycle(container: JsonMap, before: OriginalContainer): JsonMap {
  const { lifecycle, lifecycleNow } = before;
  if (!isMap(lifecycleNow) || !sameJson(at(container, 'lifecycle'), lifecycleNow)) return container;
  return isMap(lifecycle) ? { ...container, lifecycle } : without(container, 'lifecycle');
}

function restoredPort(entry: unknown, names: JsonMap): unknown {
  const name = textAt(names, String(at(entry, 'containerPort')));
  const isNameless = textAt(entry, 'name') === undefined && (textAt(entry, 'protocol') ?? 'TCP') === 'TCP';
  return isMap(entry) && name !== undefined && isNameless ? { ...entry, name } : entry;
}
