/*
 * The profile `restricted` of the Pod Security Standards (Kubernetes 1.37), judged without a cluster. Windows is left out: we have no such pods.
 */

type SecurityContext = {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly procMount?: string;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type?: string };
  readonly appArmorProfile?: { readonly type?: string };
  readonly seLinuxOptions?: { readonly type?: string; readonly user?: string; readonly role?: string };
  readonly sysctls?: readonly { readonly name: string }[];
};

type Container = {
  readonly name: string;
  readonly securityContext?: SecurityContext;
  readonly ports?: readonly { readonly hostPort?: number }[];
};

export type PodSpec = {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: SecurityContext;
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
};

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const SECCOMP = ['RuntimeDefault', 'Localhost'];
const SELINUX = [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_syncookies',
];

/** Every control that a pod breaks; empty where it is restricted. */
export function restrictedViolations(spec: PodSpec): readonly string[] {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return [
    ...(['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((key) => spec[key] === true),
    ...(spec.volumes ?? []).flatMap(volumeViolations),
    ...contextViolations('pod', spec.securityContext ?? {}),
    ...containers.flatMap((container) => containerViolations(container, spec.securityContext ?? {})),
  ];
}

function volumeViolations({ name, ...source }: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(source)
    .filter((type) => !VOLUMES.includes(type))
    .map((type) => `volume ${String(name)}: ${type}`);
}

function containerViolations(container: Container, pod: SecurityContext): readonly string[] {
  const own = container.securityContext ?? {};
  const { drop = [], add = [] } = own.capabilities ?? {};
  const broken: readonly (readonly [boolean, string])[] = [
    [own.privileged === true, 'privileged'],
    [own.allowPrivilegeEscalation !== false, 'allowPrivilegeEscalation'],
    [(own.runAsNonRoot ?? pod.runAsNonRoot) !== true, 'runAsNonRoot'],
    [!drop.includes('ALL'), 'capabilities.drop'],
    [add.some((name) => name !== 'NET_BIND_SERVICE'), 'capabilities.add'],
    [!SECCOMP.includes(own.seccompProfile?.type ?? pod.seccompProfile?.type ?? ''), 'seccompProfile'],
    [![undefined, 'Default'].includes(own.procMount), 'procMount'],
    [(container.ports ?? []).some(({ hostPort = 0 }) => hostPort !== 0), 'hostPort'],
  ];
  return [
    ...broken.filter(([isBroken]) => isBroken).map(([, control]) => `${container.name}: ${control}`),
    ...contextViolations(container.name, own),
  ];
}

/** What a pod and a container can say alike. */
function contextViolations(name: string, context: SecurityContext): readonly string[] {
  const { runAsUser, appArmorProfile, seLinuxOptions, sysctls = [] } = context;
  const broken: readonly (readonly [boolean, string])[] = [
    [runAsUser === 0, 'runAsUser'],
    [appArmorProfile?.type === 'Unconfined', 'appArmorProfile'],
    [!SELINUX.includes(seLinuxOptions?.type) || !!seLinuxOptions?.user || !!seLinuxOptions?.role, 'seLinuxOptions'],
    [sysctls.some((one) => !SAFE_SYSCTLS.includes(one.name)), 'sysctls'],
  ];
  return broken.filter(([isBroken]) => isBroken).map(([, control]) => `${name}: ${control}`);
}
