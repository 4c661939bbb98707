import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';

/** Judges who serves a bundle by the chain it presented (leaf first, DER); the error is for the operator. `app` joins it to `core/identity`. */
export type JudgeEndpoint = (chain: readonly Uint8Array[]) => Result<unknown, string>;

/** What is fetched, from where, and how who serves it is known. The trust domain of a bundle is for whoever asks: it cannot be told from any of these. */
export type TrustAddress =
  /** A SPIFFE bundle; the server's name is proven by the system's public authorities, or by the PEM file `trustBundle` instead. */
  | { readonly kind: 'https_web'; readonly url: string; readonly trustBundle?: string | undefined }
  /** A SPIFFE bundle; the server proves a SPIFFE ID, whatever its address. */
  | { readonly kind: 'https_spiffe'; readonly url: string; readonly judge: JudgeEndpoint }
  /** A revocation list, over HTTP or HTTPS; `trustBundle` as above. */
  | { readonly kind: 'revocation-list'; readonly url: string; readonly trustBundle?: string | undefined };

/** `timeoutMs`: for all of one question, redirects included. */
export type TrustSettings = TrustAddress & { readonly timeoutMs: number };

/** Reads a regular file of at most `maxBytes`; the error begins with the path. */
export type ReadFile = (path: string, maxBytes: number) => Promise<Result<{ readonly bytes: Uint8Array }, string>>;

export type TrustDeps = { readonly readFile: ReadFile; readonly timer: Timer };

/** A URL as it may be shown: queries can hold secrets (signed links do). */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
