import { gunzipSync } from 'node:zlib';

import type { Receiver, UploadOutcome } from '../../src/io/journal/settings.ts';

/** A decision-log receiver that answers when and what the test says. */
export interface ScriptedReceiver extends Receiver {
  /** What was posted, taken or not: the lines of each upload, and its compressed size. */
  readonly posts: readonly { readonly lines: readonly string[]; readonly bytes: number }[];
  /** The lines of the uploads that were answered with `taken`. */
  readonly taken: readonly string[];
  readonly isAsked: boolean;
  /** Answers the upload under way. */
  answer(outcome: UploadOutcome): void;
  readonly isStopped: boolean;
}

export function createScriptedReceiver(): ScriptedReceiver {
  const posts: { lines: readonly string[]; bytes: number }[] = [];
  const taken: string[] = [];
  let waiting: ((outcome: UploadOutcome) => void) | undefined;
  let stopped = false;
  return {
    posts,
    taken,
    get isAsked() {
      return waiting !== undefined;
    },
    get isStopped() {
      return stopped;
    },
    upload: (body) => {
      if (waiting !== undefined) throw new Error('two uploads at once');
      posts.push({ lines: linesOf(gunzipSync(body).toString()), bytes: body.length });
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    answer: (outcome) => {
      const answered = waiting;
      waiting = undefined;
      if (answered === undefined) throw new Error('nothing is under way');
      if (outcome.kind === 'taken') taken.push(...(posts.at(-1)?.lines ?? []));
      answered(outcome);
    },
    stop: () => {
      stopped = true;
      return Promise.resolve();
    },
  };
}

/** The members of a JSON array as they stand in its text: byte for byte what was a line. */
function linesOf(text: string): readonly string[] {
  const values = JSON.parse(text) as readonly unknown[];
  const lines = text.slice(1, -1).split(/,(?=\{"(?:decision_id|notice)":)/);
  if (values.length !== lines.length && values.length > 0) throw new Error('the array has members that are no lines');
  return values.length === 0 ? [] : lines;
}
