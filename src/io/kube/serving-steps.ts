import { createServingAuthority, issueServingCertificate } from '../../core/issuance/serving-certificate.ts';
import { ok } from '../../core/kernel/result.ts';
import { readPair } from './serving-state.ts';

import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { KeyedCertificate, ServingNames } from '../../core/issuance/serving-certificate.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ServingLives, ServingStep } from './serving-plan.ts';
import type { ServingState, StoredPair } from './serving-state.ts';

/** What certificates are made with. */
export type ServingMaker = ServingNames & ServingLives & IssuanceDeps;

/** What the replicas share after a step; nothing is stored here. A step that has nothing to stand on begins anew. */
export async function takeStep(
  state: ServingState | undefined,
  step: ServingStep,
  maker: ServingMaker,
): Promise<Result<ServingState, string>> {
  if (state === undefined) return begin(undefined, maker);
  switch (step) {
    case 'begin':
      return begin(state, maker);
    case 'renew': {
      const leaf = await newLeaf(state.authority, maker);
      return leaf.ok ? ok({ ...state, leaf: leaf.value }) : leaf;
    }
    case 'announce': {
      const next = await newAuthority(maker);
      return next.ok ? ok({ ...state, next: next.value }) : next;
    }
    case 'promote':
      return promote(state, maker);
    case 'forget':
      return ok({ ...state, old: undefined });
    default:
      return step satisfies never;
  }
}

async function begin(state: ServingState | undefined, maker: ServingMaker): Promise<Result<ServingState, string>> {
  const authority = await newAuthority(maker);
  if (!authority.ok) return authority;
  const leaf = await newLeaf(authority.value, maker);
  return leaf.ok
    ? ok({
        authority: authority.value,
        leaf: leaf.value,
        next: undefined,
        old: state === undefined ? undefined : state.old,
      })
    : leaf;
}

/** The key of the authority before is not kept: it signs nothing any more. */
async function promote(state: ServingState, maker: ServingMaker): Promise<Result<ServingState, string>> {
  const { authority: before, leaf: last, next } = state;
  if (next === undefined) return ok(state);
  const leaf = await newLeaf(next, maker);
  if (!leaf.ok) return leaf;
  const { certificate, fingerprint, notBeforeMs, notAfterMs } = before;
  const old = { certificate, fingerprint, notBeforeMs, notAfterMs, untilMs: last.notAfterMs };
  return ok({ authority: next, leaf: leaf.value, next: undefined, old });
}

async function newAuthority(maker: ServingMaker): Promise<Result<StoredPair, string>> {
  return stored(await createServingAuthority(maker, maker.authorityMs, maker));
}

async function newLeaf(authority: StoredPair, maker: ServingMaker): Promise<Result<StoredPair, string>> {
  return stored(await issueServingCertificate(authority, maker, maker.leafMs, maker));
}

function stored(made: Result<KeyedCertificate, string>): Result<StoredPair, string> {
  return made.ok ? readPair(made.value.certificate, made.value.privateKey, 'new certificate') : made;
}
