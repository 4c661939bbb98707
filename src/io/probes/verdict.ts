/** What a probe found; `why` is for the operator's log. */
export type ProbeVerdict = { readonly ok: true } | { readonly ok: false; readonly why: string };

/** The agent is well. */
export const WELL: ProbeVerdict = Object.freeze({ ok: true });

/** The agent is not well, or cannot be asked. */
export function unwell(why: string): ProbeVerdict {
  return { ok: false, why };
}

/** One attempt that ends: with its own verdict, or when the time is up. */
export type Attempt = {
  /** The first verdict counts. Ends everything that `onEnd` names. */
  readonly end: (verdict: ProbeVerdict) => void;
  /** What is to be cleared away at the end. */
  readonly onEnd: (clear: () => void) => void;
  readonly done: Promise<ProbeVerdict>;
};

/** Begins an attempt that may take `timeoutMs`. */
export function attempt(timeoutMs: number): Attempt {
  const { promise, resolve } = Promise.withResolvers<ProbeVerdict>();
  const clears: (() => void)[] = [];
  let isOver = false;
  const end = (verdict: ProbeVerdict): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    resolve(verdict);
    for (const clear of clears) clear();
  };
  const timer = setTimeout(() => end(unwell(`no answer within ${timeoutMs} ms`)), timeoutMs);
  return { end, onEnd: (clear) => void clears.push(clear), done: promise };
}
