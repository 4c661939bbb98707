import { fault } from '../model/faults.ts';
import type { IdentifiedPeer } from '../model/peer.ts';
import { sha256Hex } from './bytes.ts';
import { parseCertificate } from './certificate.ts';
import { claimOf } from './svid-rules.ts';
import type { TrustStore } from './trust-store.ts';
import type { Verdict, VerifyOptions } from './verify.ts';
import { verifyPeer } from './verify.ts';

/** A chain larger than this is judged anew each time instead of being kept. */
const MAX_KEPT_CHAIN_BYTES = 32_768;

/** Verdicts by what was presented. Only peers that were identified are kept: refusals cost the peer a handshake each, and would push out the good. */
export type VerdictCache = {
  /** Verdict on a full handshake: as `verifyPeer`, or what it said of the same bytes under the same trust while that holds. */
  judge(chain: readonly Uint8Array[], trust: TrustStore, atMs: number): Verdict;
  /**
   * Verdict on a resumed session, of which only the leaf is known: that of the chain the leaf came with in its full handshake, judged anew where
   * trust has changed since. A leaf that is not kept is refused with `peer_resumption_unverified`.
   */
  judgeResumed(leaf: Uint8Array, trust: TrustStore, atMs: number): Verdict;
  /** Leaves that are kept. */
  readonly size: number;
};

type Entry = {
  readonly chain: readonly Uint8Array[];
  readonly revision: string;
  readonly verdict: IdentifiedPeer;
};

/**
 * A cache of at most `limit` leaves, the least recently used leaving first. A verdict holds for one revision of the trust store and to its
 * `validUntilMs`. One cache serves one way of judging (`options`).
 */
export function createVerdictCache(limit: number, options: VerifyOptions): VerdictCache {
  const entries = new Map<string, Entry>();

  function judge(chain: readonly Uint8Array[], trust: TrustStore, atMs: number): Verdict {
    const [leaf] = chain;
    const leafHash = leaf === undefined ? '' : sha256Hex(leaf);
    const entry = entries.get(leafHash);
    const same = entry !== undefined && isSame(entry.chain, chain) ? entry : undefined;
    if (same?.revision === trust.revision && atMs < same.verdict.validUntilMs) {
      keep(leafHash, same);
      return same.verdict;
    }
    const verdict = verifyPeer(chain, trust, atMs, options);
    if (same !== undefined) entries.delete(leafHash);
    if (verdict.kind === 'identified' && isKeepable(chain)) {
      keep(leafHash, {
        chain: same?.chain ?? chain.map((der) => Uint8Array.from(der)),
        revision: trust.revision,
        verdict,
      });
    }
    return verdict;
  }

  /** Puts an entry last in line to leave. */
  function keep(leafHash: string, entry: Entry): void {
    entries.delete(leafHash);
    entries.set(leafHash, entry);
    const [oldest] = entries.keys();
    if (entries.size > limit && oldest !== undefined) entries.delete(oldest);
  }

  function judgeResumed(leaf: Uint8Array, trust: TrustStore, atMs: number): Verdict {
    const entry = entries.get(sha256Hex(leaf));
    return entry === undefined ? unverified(leaf) : judge(entry.chain, trust, atMs);
  }

  return {
    judge,
    judgeResumed,
    get size() {
      return entries.size;
    },
  };
}

/** True for the same certificates in the same order, octet by octet. */
function isSame(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return one.length === other.length && one.every((der, index) => Buffer.compare(der, other[index] ?? NOTHING) === 0);
}

const NOTHING = new Uint8Array();

function isKeepable(chain: readonly Uint8Array[]): boolean {
  return chain.reduce((bytes, der) => bytes + der.length, 0) <= MAX_KEPT_CHAIN_BYTES;
}

function unverified(leaf: Uint8Array): Verdict {
  const certificate = parseCertificate(leaf);
  return Object.freeze({
    kind: 'rejected',
    fault: fault('peer_resumption_unverified', 'a resumed session of a leaf whose chain was not judged here'),
    claimedId: certificate.ok ? claimOf(certificate.value) : undefined,
  });
}
