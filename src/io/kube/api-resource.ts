/** What is asked for, as RBAC names it. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch';

/** One resource, or the collection where `name` is left out. */
export type Resource = {
  /** `''` for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower case plural, such as `configmaps`. */
  readonly plural: string;
  /** Left out for resources of the cluster, and for collections over all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
};

/** Any object of Kubernetes, of which no more is promised than that `metadata` is there. */
export type KubeObject = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMetadata;
  readonly [key: string]: unknown;
};

/** What is read of an object's metadata. */
export type KubeMetadata = {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly [key: string]: unknown;
};

/** Collections that are asked for, without a namespace. */
export const SECRETS = { group: '', version: 'v1', plural: 'secrets' } as const;
export const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' } as const;
export const NAMESPACES = { group: '', version: 'v1', plural: 'namespaces' } as const;
export const PODS = { group: '', version: 'v1', plural: 'pods' } as const;
export const WEBHOOK_CONFIGURATIONS = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
} as const;

/** The path of the API (Kubernetes API concepts, "Resource URIs"). */
export function resourcePath({ group, version, plural, namespace, name, subresource }: Resource): string {
  const root = group === '' ? ['api', version] : ['apis', group, version];
  const within = namespace === undefined ? [] : ['namespaces', namespace];
  const one = name === undefined ? [] : [name, ...(subresource === undefined ? [] : [subresource])];
  return `/${[...root, ...within, plural, ...one].map(encodeURIComponent).join('/')}`;
}

/** `NAMESPACE/NAME`, or `NAME` for what is in no namespace: how objects of one resource are told apart. */
export function keyOf({ metadata: { namespace, name = '' } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** True for what can be an object: `metadata` with texts where texts have to be. Everything else in it is for its reader to judge. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (!isRecord(value)) return false;
  const { metadata } = value;
  if (!isRecord(metadata)) return false;
  return (
    ['name', 'namespace', 'uid', 'resourceVersion'].every((key) => isTextOrAbsent(metadata[key])) &&
    ['labels', 'annotations'].every((key) => isTexts(metadata[key]))
  );
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isTexts(value: unknown): boolean {
  return value === undefined || (isRecord(value) && Object.values(value).every((one) => typeof one === 'string'));
}
