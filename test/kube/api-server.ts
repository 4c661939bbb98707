import type { TestContext } from 'node:test';

import { freePorts } from '../support/free-ports.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { askApi, callApi, followObjects, type ApiAnswer, type ApiCall, type KubeApi } from './kube-api.ts';
import { createKubeTools, type KubeTools } from './kube-tools.ts';

/**
 * Services have their addresses on loopback, so that a test can listen at the address of a Service (as root, also at port 443) and the API server reaches
 * webhooks by their unchanged `clientConfig.service` without anything that routes.
 */
const SERVICE_RANGE = '127.96.0.0/16';

export type TokenRequest = {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Default: the API server's own. */
  readonly audiences?: readonly string[];
  /** The pod that the token is good for, and only as long as that pod is there. */
  readonly boundPod?: { readonly name: string; readonly uid: string };
  /** Default 3600; the API server gives no less than 600. */
  readonly seconds?: number;
};

/** A real API server over a real etcd, without a kubelet: pods are admitted and stored, and nothing runs them. */
export type ApiServer = KubeTools & {
  /** `https://127.0.0.1:PORT`; also the issuer of its service accounts' tokens. */
  readonly url: string;
  readonly folder: string;
  readonly caFile: string;
  readonly caPem: string;
  /** Of the administrator. */
  readonly kubeconfig: string;
  readonly adminToken: string;
  readonly api: KubeApi;
  /** One call, whatever its answer. */
  readonly call: (call: ApiCall) => Promise<ApiAnswer>;
  /** Writes the kubeconfig of another user, known by certificate. */
  readonly kubeconfigOf: ControlPlane['kubeconfigOf'];
  /** Makes a namespace and waits for its `default` service account. */
  readonly createNamespace: (name: string, labels?: Readonly<Record<string, string>>) => Promise<void>;
  readonly createServiceAccount: (namespace: string, name: string) => Promise<void>;
  readonly requestToken: (request: TokenRequest) => Promise<string>;
  /** As when its machine is lost. */
  readonly stopApiServer: () => Promise<void>;
  readonly startAgain: () => Promise<void>;
  /** The ends of the logs, for messages. */
  readonly story: () => string;
};

/** Starts one on free ports of loopback; gone with the test. Takes some four seconds. */
export async function startApiServer(
  context: TestContext,
  options: { readonly extraArgs?: readonly string[] } = {},
): Promise<ApiServer> {
  const folder = await tempFolder(context);
  const [api = 0, etcd = 0, etcdPeer = 0] = await freePorts(3);
  const plane = await startControlPlane({
    folder,
    bind: '127.0.0.1',
    address: '127.0.0.1',
    ports: { api, etcd, etcdPeer },
    serviceRange: SERVICE_RANGE,
    ...options,
  });
  const over = new AbortController();
  context.after(async () => {
    over.abort();
    await plane.stop();
  });
  void giveServiceAccounts(plane.api, over.signal);
  return { ...handleOf(plane), ...createKubeTools(plane.kubeconfig, folder) };
}

/** The controller of service accounts in small: each namespace has one named `default`, without which no pod is admitted. */
function giveServiceAccounts(api: KubeApi, signal: AbortSignal): Promise<void> {
  const make = ({ metadata }: { readonly metadata: { readonly name: string } }): void => {
    const path = `/api/v1/namespaces/${metadata.name}/serviceaccounts`;
    void callApi(api, { method: 'POST', path, body: { metadata: { name: 'default' } } }).catch(() => undefined);
  };
  return followObjects(api, '/api/v1/namespaces', make, signal);
}

function handleOf(plane: ControlPlane): Omit<ApiServer, keyof KubeTools> {
  const { api, pki, folder, kubeconfig } = plane;
  return {
    url: api.url,
    folder,
    caFile: pki.caFile,
    caPem: pki.caPem,
    kubeconfig,
    adminToken: api.token,
    api,
    call: (call) => callApi(api, call),
    kubeconfigOf: plane.kubeconfigOf,
    async createNamespace(name, labels = {}) {
      await askApi(api, { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name, labels } } });
      await createAccount(api, name, 'default');
    },
    createServiceAccount: (namespace, name) => createAccount(api, namespace, name),
    requestToken: (request) => requestToken(api, request),
    stopApiServer: plane.stopApiServer,
    startAgain: plane.startApiServer,
    story: plane.story,
  };
}

/** One that is there already is as good. */
async function createAccount(api: KubeApi, namespace: string, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const { status, json } = await callApi(api, { method: 'POST', path, body: { metadata: { name } } });
  if (status !== 201 && status !== 409) throw new Error(`service account ${name}: ${status} ${JSON.stringify(json)}`);
}

/** TokenRequest, as the kubelet asks for projected tokens. */
export async function requestToken(api: KubeApi, wanted: TokenRequest): Promise<string> {
  const { namespace, serviceAccount, audiences, boundPod, seconds = 3600 } = wanted;
  const answer = await askApi(api, {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        ...(audiences !== undefined && { audiences }),
        expirationSeconds: seconds,
        ...(boundPod !== undefined && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...boundPod } }),
      },
    },
  });
  return (answer as { readonly status: { readonly token: string } }).status.token;
}
