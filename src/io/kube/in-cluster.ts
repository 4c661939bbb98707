import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** How an API server is reached. */
export type ApiSettings = {
  /** `https://HOST:PORT`. */
  readonly url: string;
  /** File with our own token, read anew for each request: it rotates. */
  readonly tokenFile: string;
  /** File with the certificates that the API server's own is verified with, PEM. Read anew as well. */
  readonly caFile: string;
  /** For one whole exchange that is no watch, milliseconds. Default 10,000. */
  readonly timeoutMs?: number | undefined;
};

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How a pod reaches its API server: the environment and the files that Kubernetes gives to each. */
export function inCluster(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string = FOLDER,
): Result<ApiSettings, string> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  if (!/^[0-9A-Za-z.:-]{1,253}$/.test(host) || !/^[0-9]{1,5}$/.test(port))
    return err(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say where the API server is; is this a pod?',
    );
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return ok({ url, tokenFile: `${folder}/token`, caFile: `${folder}/ca.crt` });
}

/** The namespace that a pod runs in, from the file that Kubernetes gives to it. */
export const NAMESPACE_FILE = `${FOLDER}/namespace`;
