import { isMap, listIn, textIn, within } from './objects.ts';

/** What a running sidecar says of itself at `/status` (`app/sidecar-status.ts`, of its own release). What it does not say is undefined. */
export type SidecarStatus = {
  readonly version: string | undefined;
  readonly mode: string | undefined;
  readonly id: string | undefined;
  /** End of its certificate, in milliseconds since 1970. */
  readonly notAfterMs: number | undefined;
  readonly revision: string | undefined;
  readonly candidate: string | undefined;
  readonly problems: readonly string[];
  readonly draining: boolean;
};

/** Of problems that are shown: a sidecar has a handful of parts. */
const MAX_PROBLEMS = 16;

/** Reads the answer of `/status`; undefined where it is none. The pod may not be what it seems: nothing in it is believed to be of a kind. */
export function readSidecarStatus(answer: unknown): SidecarStatus | undefined {
  if (!isMap(answer)) return undefined;
  const end = Date.parse(textIn(answer, 'identity', 'notAfter') ?? '');
  return {
    version: textIn(answer, 'version'),
    mode: textIn(answer, 'mode'),
    id: textIn(answer, 'identity', 'id'),
    notAfterMs: Number.isNaN(end) ? undefined : end,
    revision: textIn(answer, 'policy', 'revision'),
    candidate: textIn(answer, 'policy', 'candidate', 'revision'),
    problems: listIn(answer, 'problems')
      .slice(0, MAX_PROBLEMS)
      .map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    draining: within(answer, 'draining') === true,
  };
}
