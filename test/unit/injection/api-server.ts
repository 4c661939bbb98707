/*
 * What the API server does to a pod between two calls of a webhook (apiserver: mutating dispatcher, pkg/apis/core/v1/defaults.go, the ServiceAccount plugin).
 */

type Json = Readonly<Record<string, unknown>>;
type Container = Json & { readonly name: string };

const API_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

/** A pod as it is shown to the webhook again: defaults filled in, and a token for the API server mounted wherever nothing is at its place. */
export function seenAgain(pod: Json): Json {
  const spec = pod['spec'] as Json;
  const containers = (key: string) =>
    ((spec[key] ?? []) as readonly Container[]).map((one) => withToken(complete(one)));
  const volumes = (spec['volumes'] ?? []) as readonly Json[];
  const token = { name: 'kube-api-access-x', projected: { defaultMode: 420, sources: [] } };
  return {
    ...pod,
    spec: {
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
      ...spec,
      ...(spec['initContainers'] === undefined ? {} : { initContainers: containers('initContainers') }),
      containers: containers('containers'),
      volumes: volumes.some((one) => one['name'] === token.name) ? volumes : [...volumes, token],
    },
  };
}

function complete(container: Container): Container {
  const ports = container['ports'] as readonly Json[] | undefined;
  const env = container['env'] as readonly Json[] | undefined;
  return {
    imagePullPolicy: 'IfNotPresent',
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...container,
    ...(ports === undefined ? {} : { ports: ports.map((port) => ({ protocol: 'TCP', ...port })) }),
    ...(env === undefined ? {} : { env }),
    ...Object.fromEntries(
      ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((key) =>
        container[key] === undefined ? [] : [[key, completeProbe(container[key] as Json)]],
      ),
    ),
  };
}

function completeProbe(probe: Json): Json {
  const times = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
  const [http, grpc] = [probe['httpGet'] as Json | undefined, probe['grpc'] as Json | undefined];
  return {
    ...times,
    ...probe,
    ...(http === undefined ? {} : { httpGet: { path: '/', scheme: 'HTTP', ...http } }),
    ...(grpc === undefined ? {} : { grpc: { service: '', ...grpc } }),
  };
}

function withToken(container: Container): Container {
  const mounts = (container['volumeMounts'] ?? []) as readonly Json[];
  if (mounts.some((mount) => mount['mountPath'] === API_TOKEN)) return container;
  return {
    ...container,
    volumeMounts: [...mounts, { name: 'kube-api-access-x', mountPath: API_TOKEN, readOnly: true }],
  };
}
