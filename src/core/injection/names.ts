/*
 * Names of everything that an injection puts into a pod. No pod may bring one of them along.
 */

/** Before every label and annotation that we read or write. */
export const PREFIX = 'sallyport.dev/';

/** The native sidecar. */
export const SIDECAR = 'sallyport';

/** The init container that sends the pod's traffic to the sidecar, with redirect capture. */
export const REDIRECT = 'sallyport-redirect';

/** Volumes of the sidecar: its enrolment token, its memory-backed folder, the socket of the Workload API. */
export const VOLUMES = { token: 'sallyport-token', run: 'sallyport-run', spiffe: 'sallyport-spiffe' } as const;

/** Where they are mounted in the sidecar. */
export const MOUNTS = {
  token: '/var/run/secrets/sallyport',
  run: '/run/sallyport',
  spiffe: '/spiffe-workload-api',
  /** Where the API server's service account plugin mounts a token that is good at the API server, unless something is there. */
  apiToken: '/var/run/secrets/kubernetes.io/serviceaccount',
} as const;

/** Environment variables of our containers. */
export const VARIABLES = {
  config: 'SALLYPORT_CONFIG',
  redirect: 'SALLYPORT_REDIRECT',
  pod: 'SALLYPORT_POD',
} as const;

/** Keys (after `PREFIX`) that an injection writes: the label, and the annotations. */
export const WRITTEN = {
  injected: 'injected',
  version: 'injected-by',
  config: 'injected-config',
  original: 'original',
} as const;

/** Arguments of our containers; the image's entry point is the program. */
export const SIDECAR_ARGS: readonly string[] = ['run', '--config-env', VARIABLES.config];
export const REDIRECT_ARGS: readonly string[] = ['redirect'];

/** True for the name of one of our containers. */
export function isOurName(name: string): boolean {
  return name === SIDECAR || name === REDIRECT;
}

/** True for the name of one of our volumes. */
export function isOurVolume(name: string): boolean {
  return Object.values<string>(VOLUMES).includes(name);
}

/**
 * Tells the sidecar (PID 1 of its container) that the pod's end was decided: SIGUSR2. The kubelet runs it then, while it waits for the agent; the agent
 * could be gone before callers have left otherwise, for the sidecar itself is told to end last.
 */
export const RETIRE_COMMAND: readonly string[] = ['node', '-e', "require('process').kill(1, 'SIGUSR2')"];
