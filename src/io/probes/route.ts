/** What a probe asks for. */
export type Route =
  | { readonly kind: 'startup' | 'health' | 'ready' }
  /** `name` is `CONTAINER/KIND`. */
  | { readonly kind: 'target'; readonly name: string };

const OWN: ReadonlyMap<string, Route> = new Map([
  ['/startupz', { kind: 'startup' }],
  ['/healthz', { kind: 'health' }],
  ['/readyz', { kind: 'ready' }],
]);

/** Longest container name is 63 (RFC 1123 2.1). */
const TARGET = /^\/probe\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/(?:liveness|readiness|startup))$/;

/**
 * Reads a request target. Exactly these paths, byte for byte: no query, no encodings, no other form of target (RFC 9112 3.2), for the one caller that is
 * meant sends what the injector wrote. Undefined for anything else.
 */
export function readRoute(target: string): Route | undefined {
  const name = TARGET.exec(target)?.[1];
  return name === undefined ? OWN.get(target) : { kind: 'target', name };
}
