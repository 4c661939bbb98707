import { plainPower } from './container-checks.ts';
import { at, listAt, mapAt, numberAt } from './json-value.ts';
import { meshWarnings } from './mesh-checks.ts';
import { allContainers } from './pod.ts';

import type { InjectionSettings } from '../model/injection.ts';
import type { Placed, Pod } from './pod.ts';

/** Warnings longer than this are cut by the API server (k8s.io/apiserver: warnings of admission webhooks). */
const MAX_WARNING = 256;
/** More would be cut as a whole: 4096 bytes are handed on. */
const MAX_WARNINGS = 16;

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** What the owner of a pod should know although it is let in. */
export function podWarnings(
  pod: Pod,
  namespaceLabels: Readonly<Record<string, string>>,
  settings: InjectionSettings,
): readonly string[] {
  return [
    ...(settings.capture === 'redirect' ? [...securityLevel(namespaceLabels), ...possibleRoots(pod, settings)] : []),
    ...meshWarnings(pod),
  ];
}

/** At most 16 warnings of at most 256 characters, each in one line. */
export function boundedWarnings(warnings: readonly string[]): readonly string[] {
  return [...new Set(warnings)].slice(0, MAX_WARNINGS).map((warning) => {
    const line = warning.replaceAll(/[\0-\x1f\x7f]+/g, ' ');
    return line.length > MAX_WARNING ? `${line.slice(0, MAX_WARNING - 1)}…` : line;
  });
}

function securityLevel(labels: Readonly<Record<string, string>>): readonly string[] {
  const level = labels[ENFORCE];
  return level === 'restricted' || level === 'baseline'
    ? [
        `the namespace enforces pod security ${level}, which refuses NET_ADMIN of sallyport-redirect; exempt it, or have the platform choose capture: plain`,
      ]
    : [];
}

/** Redirection of calls tells the sidecar by its user, and root may become any user; and no rule sees the frames of a packet socket (packet(7)). */
function possibleRoots(pod: Pod, { outbound }: InjectionSettings): readonly string[] {
  if (outbound.capture === 'none') return [];
  return allContainers(pod)
    .filter((placed) => mayBeRoot(pod, placed) && WAYS_PAST.some((power) => has(placed, power)))
    .map(
      ({ container }) =>
        `container ${container.name} may run as root and get past the capture of its calls, as the sidecar's user (SETUID) or by raw sockets (NET_RAW); set runAsNonRoot, or drop ALL`,
    );
}

/** Capabilities that container runtimes give to root by default. */
const WAYS_PAST = ['SETUID', 'NET_RAW'] as const;

function mayBeRoot({ spec }: Pod, { container }: Placed): boolean {
  const [own, shared] = [mapAt(container, 'securityContext'), mapAt(spec, 'securityContext')];
  const user = numberAt(own, 'runAsUser') ?? numberAt(shared, 'runAsUser');
  return user === undefined || user === 0 ? (at(own, 'runAsNonRoot') ?? at(shared, 'runAsNonRoot')) !== true : false;
}

/** Runtimes drop first and add then. */
function has({ container }: Placed, power: string): boolean {
  const capabilities = mapAt(mapAt(container, 'securityContext'), 'capabilities');
  const named = (key: 'add' | 'drop') => listAt(capabilities, key).map((one) => plainPower(String(one)));
  return named('add').includes(power) || !named('drop').some((one) => one === power || one === 'ALL');
}
