import { refusal } from './injection.ts';
import { at, listAt, mapAt, numberAt, textAt } from './json-value.ts';
import { isOurName, isOurVolume } from './names.ts';
import { userMessage } from './pod-checks.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Placed } from './pod.ts';

/** Linux capabilities (capabilities(7)) that undo a redirection, read other processes, lead out of the container, or set the clock by which certificates end. */
const POWERS: readonly string[] = [
  'ALL',
  'NET_ADMIN',
  'SYS_ADMIN',
  'SYS_PTRACE',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_TIME',
  'DAC_READ_SEARCH',
  'BPF',
  'PERFMON',
];

/** What makes a container unfit to stand beside a sidecar: its name, its user, its powers, what it mounts. `uids` are the sidecar's. */
export function containerRefusals(
  placed: Placed,
  uids: readonly number[],
  { allowPrivileged }: Pick<InjectionSettings, 'allowPrivileged'>,
): readonly InjectionRefusal[] {
  if (isOurName(placed.container.name)) return nameTaken(placed);
  return [...userTaken(placed, uids), ...(allowPrivileged ? [] : powers(placed)), ...mounts(placed)];
}

function nameTaken({ path, container }: Placed): InjectionRefusal[] {
  return [
    refusal('name_taken', `${path}.name`, `${container.name} is the name of an injected container; choose another one`),
  ];
}

function userTaken({ path, container }: Placed, uids: readonly number[]): InjectionRefusal[] {
  const uid = numberAt(at(container, 'securityContext'), 'runAsUser');
  if (uid === undefined || !uids.includes(uid)) return [];
  return [refusal('uid_taken', `${path}.securityContext.runAsUser`, userMessage(uid))];
}

function powers({ path, container }: Placed): InjectionRefusal[] {
  const context = mapAt(container, 'securityContext');
  const where = `${path}.securityContext`;
  const why =
    'could undo the redirection or read the memory of the sidecar; remove it, or have the platform set allowPrivileged';
  const added = listAt(mapAt(context, 'capabilities'), 'add').flatMap((power, index) =>
    typeof power === 'string' && POWERS.includes(plainPower(power)) ? [{ power, index }] : [],
  );
  return [
    ...(at(context, 'privileged') === true
      ? [refusal('privileged', `${where}.privileged`, `a privileged container ${why}`)]
      : []),
    ...added.map(({ power, index }) =>
      refusal('privileged', `${where}.capabilities.add[${index}]`, `a container with ${power} ${why}`),
    ),
  ];
}

/** The name of a capability: runtimes take it in any case, with or without `CAP_`. */
export function plainPower(power: string): string {
  return power.toUpperCase().replace(/^CAP_/, '');
}

function mounts({ path, container }: Placed): InjectionRefusal[] {
  return ['volumeMounts', 'volumeDevices'].flatMap((key) =>
    listAt(container, key).flatMap((mount, index) => {
      const name = textAt(mount, 'name') ?? '';
      const message = `volume ${name} is the sidecar's alone; remove the mount`;
      return isOurVolume(name) ? [refusal('volume_taken', `${path}.${key}[${index}]`, message)] : [];
    }),
  );
}
