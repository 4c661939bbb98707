import { createTrustStore, type TrustStore } from '../../core/identity/trust-store.ts';
import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { verifyPeer } from '../../core/identity/verify.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';

/** Says whether a server is our authority, by the rules that all peers are judged by. */
export interface AuthorityJudge {
  /** What is wrong with the chain that a server showed (leaf first, DER), or undefined. */
  judge(chain: readonly Uint8Array[], atMs: number): string | undefined;
  /** DER of the roots to believe from now on. */
  trustRoots(bundle: readonly Uint8Array[]): void;
  /** Lists that the authority itself published, from now on: its own certificate may be among the revoked. Those that cannot be read are passed over. */
  useLists(crls: readonly Uint8Array[]): void;
  /** That of the authority and of all whom it issues to. */
  readonly trustDomain: TrustDomain;
  /** DER. */
  readonly roots: readonly Uint8Array[];
}

/** Creates the judge; it believes nobody before it has roots. Throws for an ID that is none or has no path (configuration checks that before). */
export function createAuthorityJudge(id: string): AuthorityJudge {
  const expected = parseSpiffeId(id);
  if (!expected.ok || expected.value.path === '') throw new TypeError(`${id} is not the SPIFFE ID of an authority`);
  const { trustDomain } = expected.value;
  let roots: readonly Uint8Array[] = [];
  let lists: readonly Uint8Array[] = [];
  let store: TrustStore | undefined;

  /** Lists that do not fit the roots of now (they rotate) must not lock us out for good: then the roots alone count. */
  function rebuild(): void {
    store = roots.length === 0 ? undefined : (storeOf(trustDomain, roots, lists) ?? storeOf(trustDomain, roots, []));
  }

  return {
    trustDomain,
    judge(chain, atMs) {
      if (store === undefined) return 'there are no roots to check it with';
      const peer = verifyPeer(chain, store, atMs, { purpose: 'server', requireCrl: false });
      if (peer.kind !== 'identified') return `${peer.fault.code}: ${peer.fault.detail}`;
      return peer.spiffeId === expected.value.id ? undefined : `it is ${peer.spiffeId}, and not ${expected.value.id}`;
    },
    trustRoots(bundle) {
      roots = bundle.map((der) => der.slice());
      rebuild();
    },
    useLists(crls) {
      lists = crls;
      rebuild();
    },
    get roots() {
      return roots;
    },
  };
}

function storeOf(
  trustDomain: TrustDomain,
  roots: readonly Uint8Array[],
  crls: readonly Uint8Array[],
): TrustStore | undefined {
  const store = createTrustStore(new Map([[trustDomain, roots]]), crls);
  return store.ok ? store.value : undefined;
}
