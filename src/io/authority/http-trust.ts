import type { TrustDocument } from '../../core/model/svid.ts';
import type { TrustAsk } from './http-request.ts';
import type { ServiceDeps, ServiceLimits } from './http-settings.ts';

/** The trust document on the wire. */
export type TrustJson = {
  readonly revision: string;
  /** By trust domain; DER, base64. */
  readonly bundles: Readonly<Record<string, readonly string[]>>;
  readonly crls: readonly string[];
  /** Seconds. */
  readonly refresh_hint?: number;
  readonly sequence?: number;
};

/** What is believed, with those who wait for it to change. */
export interface TrustFeed {
  /** As it stands. */
  current(): TrustJson;
  /**
   * The document as JSON text, or undefined where the caller has it already. Waits for a change where it has, unless too many wait already: in all, or
   * for this source. `left`: ends the waiting, because the caller is gone.
   */
  ask(ask: TrustAsk, source: string, left: (end: () => void) => void): Promise<string | undefined>;
  readonly waiting: number;
  /** Lets all who wait go with what there is, for good. */
  stop(): void;
}

/** Starts to follow the authority's trust at once. */
export function createTrustFeed(
  { authority, timer }: Pick<ServiceDeps, 'authority' | 'timer'>,
  limits: Pick<ServiceLimits, 'waiters' | 'waitersPerSource'>,
): TrustFeed {
  const waiters = new Set<() => void>();
  const perSource = new Map<string, number>();
  let isStopped = false;
  let text: { readonly revision: string; readonly json: string } | undefined;

  const wakeAll = (): void => {
    for (const wake of waiters) wake();
  };
  const unsubscribe = authority.onTrust(wakeAll);

  function current(): string {
    const trust = authority.trust();
    if (text?.revision !== trust.revision) text = { revision: trust.revision, json: JSON.stringify(toJson(trust)) };
    return text.json;
  }

  function hasRoom(source: string): boolean {
    return !isStopped && waiters.size < limits.waiters && (perSource.get(source) ?? 0) < limits.waitersPerSource;
  }

  async function wait(ms: number, source: string, left: (end: () => void) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiters.add(resolve);
    perSource.set(source, (perSource.get(source) ?? 0) + 1);
    left(resolve);
    const cancel = timer(ms, resolve);
    await promise;
    cancel();
    waiters.delete(resolve);
    const others = (perSource.get(source) ?? 1) - 1;
    if (others === 0) perSource.delete(source);
    else perSource.set(source, others);
  }

  return {
    current: () => toJson(authority.trust()),
    async ask({ revision, waitMs }, source, left) {
      const isKnown = (): boolean => authority.trust().revision === revision;
      if (isKnown() && waitMs > 0 && hasRoom(source)) await wait(waitMs, source, left);
      return isKnown() ? undefined : current();
    },
    get waiting() {
      return waiters.size;
    },
    stop() {
      isStopped = true;
      unsubscribe();
      wakeAll();
    },
  };
}

function toJson({ revision, bundles, crls, refreshHintMs, sequence }: TrustDocument): TrustJson {
  const domains = Array.from(bundles, ([domain, certificates]) => [domain, certificates.map((der) => der.toBase64())]);
  return {
    revision,
    bundles: Object.fromEntries(domains) as TrustJson['bundles'],
    crls: crls.map((der) => der.toBase64()),
    ...(refreshHintMs !== undefined && { refresh_hint: Math.ceil(refreshHintMs / 1_000) }),
    ...(sequence !== undefined && { sequence }),
  };
}
