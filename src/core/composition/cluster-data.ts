import type { JsonObject } from './policy-part.ts';

/** Labels of an object, by name. */
export type Labels = Readonly<Record<string, string>>;

/** What is known of the cluster, as the API server has it. */
export type ClusterFacts = {
  readonly trustDomain: string;
  /** By name: the namespaces that take part. */
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  /**
   * Whether a segment on a service account counts. Whoever may edit service accounts of one namespace then chooses what agents there are to all others:
   * false where that is not the platform's own people. Default true.
   */
  readonly accountSegments?: boolean | undefined;
};

/** A namespace that takes part. */
export type NamespaceFacts = {
  readonly labels: Labels;
  /** Labels by name of the service account. */
  readonly serviceAccounts: ReadonlyMap<string, Labels>;
};

/** The label of a namespace or service account that names the segment of its agents. */
export const SEGMENT_LABEL = 'sallyport.dev/segment';

/** `data.kubernetes`, but for the namespace that a policy is for, and the segments in it by themselves. */
export type ClusterData = { readonly data: JsonObject; readonly segments: Labels };

/**
 * Makes `data.kubernetes`: `{trust_domain, namespaces: {NAME: {labels, service_accounts: {NAME: {labels}}}}, segments: {ID: SEGMENT}}`. Segments are by
 * SPIFFE ID, one for each service account (its own label, else its namespace's), and `spiffe://TD/ns/NAMESPACE/**` for accounts that are not known yet. The
 * same facts give the same data, in the same order.
 */
export function clusterData({ trustDomain, namespaces, accountSegments = true }: ClusterFacts): ClusterData {
  const segments: [id: string, segment: string][] = [];
  const described = sorted(namespaces).map(([namespace, { labels, serviceAccounts }]) => {
    const below = `spiffe://${trustDomain}/ns/${namespace}`;
    const common = labels[SEGMENT_LABEL] ?? '';
    if (common !== '') segments.push([`${below}/**`, common]);
    for (const [account, own] of sorted(serviceAccounts)) {
      const segment = (accountSegments ? own[SEGMENT_LABEL] : undefined) ?? common;
      if (segment !== '') segments.push([`${below}/sa/${account}`, segment]);
    }
    const accounts = sorted(serviceAccounts).map(([account, own]) => [account, { labels: inOrder(own) }] as const);
    return [namespace, { labels: inOrder(labels), service_accounts: Object.fromEntries(accounts) }] as const;
  });
  const bySpiffeId = Object.fromEntries(segments);
  return {
    data: { trust_domain: trustDomain, namespaces: Object.fromEntries(described), segments: bySpiffeId },
    segments: bySpiffeId,
  };
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function inOrder(labels: Labels): Labels {
  return Object.fromEntries(sorted(new Map(Object.entries(labels))));
}
