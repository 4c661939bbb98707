import { parseSpiffeBundle } from '../../core/identity/spiffe-bundle.ts';
import { createTrustStore } from '../../core/identity/trust-store.ts';
import { between } from '../../core/kernel/back-off.ts';
import { sameBytes } from './identity-join.ts';
import { clamp, refused } from './trust-poll-kind.ts';

import type { SpiffeBundle } from '../../core/identity/spiffe-bundle.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Random } from '../../core/kernel/clock.ts';
import type { Judged, PollKind, Taken } from './trust-poll-kind.ts';

/** The bundle endpoint of one trust domain (SPIFFE Federation 4). */
export type FederationPoll = {
  readonly kind: 'federation';
  readonly url: string;
  /** Whose bundle it is, as configured: a bundle does not say. */
  readonly trustDomain: TrustDomain;
  /** DER of the bundle that the operator gave (needed for `https_spiffe`): in force until one was fetched. */
  readonly first?: readonly Uint8Array[] | undefined;
};

/** Where the endpoint says nothing (SPIFFE Federation 4.1), and the bounds of what it may say, milliseconds. */
const DEFAULT_MS = 300_000;
const MIN_MS = 1_000;
const MAX_MS = 86_400_000;

/** The rules for bundles of other trust domains: the sequence never goes back, and a failed question waits for the next interval (SPIFFE Federation 6.2). */
export function federationKind({ trustDomain, first }: FederationPoll): PollKind {
  return {
    first:
      first === undefined
        ? undefined
        : takenOf(trustDomain, { roots: first, sequence: undefined, refreshHintMs: undefined }),
    judge: (bytes, held) => judgeBundle(bytes, held, trustDomain),
    pauseMs: intervalMs,
    retryMs: (_failures, held, random) => intervalMs(held, 0, random),
  };
}

/** A tenth more or less, so that many sidecars do not ask together. */
function intervalMs(held: Taken | undefined, _wallMs: number, random: Random): number {
  const hint = clamp(held?.hintMs ?? DEFAULT_MS, MIN_MS, MAX_MS);
  return clamp(between(hint * 0.9, hint * 1.1, random), MIN_MS, MAX_MS);
}

function judgeBundle(bytes: Uint8Array, held: Taken | undefined, trustDomain: TrustDomain): Judged {
  const bundle = parseSpiffeBundle(bytes);
  if (!bundle.ok) return refused(bundle.error);
  const { roots, sequence } = bundle.value;
  const before = held?.sequence;
  if (sequence !== undefined && before !== undefined && sequence < before) {
    return refused(
      `SPIFFE bundle: its sequence ${sequence} is older than ${before}, which was in force; it stays. If the trust domain began anew on purpose, restart without the copy that is kept`,
    );
  }
  const trust = createTrustStore(new Map([[trustDomain, roots]]));
  if (!trust.ok) return refused(...trust.error.map(({ subject, detail }) => `${subject}: ${detail}`));
  const taken = takenOf(trustDomain, { ...bundle.value, sequence: sequence ?? before });
  return {
    taken: { ...taken, bytes, part: { ...taken.part, warnings: warningsOf(bundle.value, held, trustDomain) } },
    problems: [],
  };
}

function warningsOf(
  { roots, sequence }: SpiffeBundle,
  held: Taken | undefined,
  trustDomain: TrustDomain,
): readonly string[] {
  const before = held?.part.bundles.get(trustDomain);
  const unsaid =
    sequence !== undefined && sequence === held?.sequence && before !== undefined && !sameBytes(roots, before);
  return [
    ...(roots.length === 0
      ? [`the trust bundle of ${trustDomain} holds no CA certificate: nobody of it is believed`]
      : []),
    ...(unsaid
      ? [
          `the trust bundle of ${trustDomain} changed and its sequence ${sequence} did not: an older one could not be told from it`,
        ]
      : []),
  ];
}

function takenOf(trustDomain: TrustDomain, { roots, sequence, refreshHintMs }: SpiffeBundle): Taken {
  const part = { bundles: new Map([[trustDomain, roots]]), crls: [], warnings: [] };
  return { part, bytes: new Uint8Array(0), sequence, hintMs: refreshHintMs, nextUpdateMs: undefined };
}
