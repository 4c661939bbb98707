import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { sameBytes } from './go-bytes.ts';
import { matchesHost } from './x509-host.ts';
import { namesAreAllowed } from './x509-name-check.ts';
import { isSignedBy } from './x509-signature.ts';
import type { Certificate } from './x509-certificate.ts';
import { findExtension } from './x509-extensions.ts';

/** What a chain must be good for. `usages` are identifiers; any of them will do, and `ANY_USAGE` asks for none. */
export type ChainDemands = { readonly nowNs: bigint; readonly host: string; readonly usages: readonly string[] };

export const ANY_USAGE = '2.5.29.37.0';
const ALTERNATIVE_NAMES = '2.5.29.17';
/** 2.5.29.32.0. */
const ANY_POLICY = '551d2000';
const CERT_SIGN = 1 << 5;
/** As in Go: more attempts than these end the search, whatever an attacker builds of equal names. */
const MOST_SIGNATURE_CHECKS = 100;

/**
 * The first chain from the last certificate to the first, which is the only root, over those between (RFC 5280 6.1 as Go's `Certificate.Verify` has
 * it); undefined where there is none. A chain that demands explicit policies (4.2.1.11) is refused here, where Go would judge them.
 */
export function verifiedChain(
  certificates: readonly Certificate[],
  demands: ChainDemands,
  cost: BuiltinContext,
): readonly Certificate[] | undefined {
  const [root] = certificates;
  const leaf = certificates.at(-1);
  if (root === undefined || leaf === undefined || certificates.length < 2) return undefined;
  if (!isCurrent(leaf, demands) || leaf.known.unhandledCritical.length > 0 || isTooLong(leaf, [])) return undefined;
  if (demands.host !== '' && !matchesHost(leaf, demands.host)) return undefined;
  const search = new ChainSearch(root, certificates.slice(1, -1), demands, cost);
  const chains = sameBytes(root.raw, leaf.raw) ? [[leaf]] : search.from([leaf]);
  return chains.find(
    (chain) => serves(chain, demands.usages) && demandsNoPolicy(chain) && namesAreAllowed(chain, cost),
  );
}

class ChainSearch {
  readonly #root: Certificate;
  readonly #between: readonly Certificate[];
  readonly #demands: ChainDemands;
  readonly #cost: BuiltinContext;
  #checks = 0;

  constructor(root: Certificate, between: readonly Certificate[], demands: ChainDemands, cost: BuiltinContext) {
    this.#root = root;
    this.#between = between.filter(({ raw }, at) => between.findIndex((other) => sameBytes(other.raw, raw)) === at);
    this.#demands = demands;
    this.#cost = cost;
  }

  /** Every chain that goes on from these, roots first, then those that look most like the issuer. */
  from(chain: readonly Certificate[]): Certificate[][] {
    const last = chain.at(-1);
    if (last === undefined) return [];
    const found: Certificate[][] = [];
    for (const [pool, isRoot] of [
      [[this.#root], true],
      [this.#between, false],
    ] as const) {
      for (const issuer of likely(last, pool)) {
        this.#checks += 1;
        if (this.#checks > MOST_SIGNATURE_CHECKS) return found;
        if (!this.#issued(issuer, isRoot, chain, last)) continue;
        const longer = [...chain, issuer];
        found.push(...(isRoot ? [longer] : this.from(longer)));
      }
    }
    return found;
  }

  #issued(issuer: Certificate, isRoot: boolean, chain: readonly Certificate[], last: Certificate): boolean {
    const { key } = issuer.keyInfo;
    if (key === undefined || chain.some((one) => isSameSubject(one, issuer)) || !maySign(issuer)) return false;
    if (!isRoot && issuer.known.basic?.isCa !== true) return false;
    if (!isCurrent(issuer, this.#demands) || issuer.known.unhandledCritical.length > 0 || isTooLong(issuer, chain))
      return false;
    return this.#isSigned(last, key);
  }

  #isSigned(last: Certificate, key: NonNullable<Certificate['keyInfo']['key']>): boolean {
    try {
      return isSignedBy(key, last.signatureAlgorithm, last.rawTbs, last.signature, this.#cost);
    } catch (problem) {
      if (problem instanceof BuiltinError) return false;
      throw problem;
    }
  }
}

/** Those with the issuer's name: first where key identifiers agree, then where one is missing, then the others. */
function likely({ rawIssuer, known }: Certificate, pool: readonly Certificate[]): Certificate[] {
  const wanted = known.authorityKeyId ?? new Uint8Array();
  const rank = (candidate: Certificate): number => {
    const has = candidate.known.subjectKeyId ?? new Uint8Array();
    if (sameBytes(has, wanted)) return 0;
    return has.length === 0 || wanted.length === 0 ? 1 : 2;
  };
  return pool.filter(({ rawSubject }) => sameBytes(rawSubject, rawIssuer)).toSorted((a, b) => rank(a) - rank(b));
}

/** RFC 5280 4.2.1.9 and 4.2.1.3: only an authority whose key may sign certificates has issued one. */
function maySign({ version, known }: Certificate): boolean {
  if (known.basic === undefined ? version === 3 : !known.basic.isCa) return false;
  return known.keyUsage === 0 || (known.keyUsage & CERT_SIGN) !== 0;
}

function isCurrent({ notBefore, notAfter }: Certificate, { nowNs }: ChainDemands): boolean {
  return nowNs >= notBefore.ns && nowNs <= notAfter.ns;
}

function isTooLong({ known }: Certificate, below: readonly Certificate[]): boolean {
  const most = known.basic?.maxPathLength ?? -1;
  return most >= 0 && below.length - 1 > most;
}

/** The same subject with the same key and names is the same authority: a chain that has it twice goes in a circle. */
function isSameSubject(one: Certificate, other: Certificate): boolean {
  if (!sameBytes(one.rawSubject, other.rawSubject) || !sameBytes(one.rawKeyInfo, other.rawKeyInfo)) return false;
  const [names, others] = [one, other].map(({ extensions }) => findExtension(extensions, ALTERNATIVE_NAMES)?.value);
  if (names === undefined || others === undefined) return names === others;
  return sameBytes(names, others);
}

/** From the root down, each certificate that lists usages narrows those that are asked for. */
function serves(chain: readonly Certificate[], usages: readonly string[]): boolean {
  if (usages.includes(ANY_USAGE)) return true;
  let left = usages;
  for (const { known } of chain.toReversed()) {
    const listed = known.extendedUsages.map((oid) => oid.join('.'));
    if (listed.length > 0 && !listed.includes(ANY_USAGE)) left = left.filter((usage) => listed.includes(usage));
  }
  return left.length > 0;
}

/** True where no certificate asks for policies: an issuer for any after it, the last one for itself; and none maps to or from any policy. */
function demandsNoPolicy(chain: readonly Certificate[]): boolean {
  return chain.slice(0, -1).every(({ known }, at) => {
    if (at === 0) return known.explicitPolicy !== 0n;
    const mapped = known.policyMappings.flatMap(({ issuer, subject }) => [issuer.toHex(), subject.toHex()]);
    return known.explicitPolicy === undefined && !mapped.includes(ANY_POLICY);
  });
}
