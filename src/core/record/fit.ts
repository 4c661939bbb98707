import { removeAt, step, type Step } from './json-edit.ts';
import { boundedInertJson, boundedJson, type BoundedJson } from './json-text.ts';

/**
 * What is left out of an input that is too large to be recorded, in this order, until it fits: first what a peer can blow up, so that
 * a peer cannot keep method and path out of the record by sending large headers.
 */
const SHED: readonly (readonly string[])[] = [
  ['parsed_body'],
  ['attributes', 'request', 'http', 'body'],
  ['attributes', 'request', 'http', 'headers'],
  ['parsed_query'],
  ['parsed_path'],
  ['attributes', 'source', 'certificate'],
];

type Shedding = { readonly pointer: string; readonly path: readonly Step[] };

/** JSON of a part of the record within its bound; undefined where nothing of it is left. Pointers of what was left out are added to `erased`. */
export type Fit = (value: unknown, erased: string[]) => string | undefined;

/** Makes the `Fit` for `input`, at most `limitBytes` of JSON; `write`, where there is one, gives it inert. */
export function fitInput(limitBytes: number, write?: (input: unknown) => string): Fit {
  return fitter(
    write === undefined ? boundedJson(limitBytes) : boundedInertJson(limitBytes, write),
    '/input',
    SHED.map((names) => ({ pointer: `/input/${names.join('/')}`, path: names.map(step) })),
  );
}

/** Makes the `Fit` for `result`, at most `limitBytes` of JSON: all of it or nothing. */
export function fitResult(limitBytes: number): Fit {
  return fitter(boundedJson(limitBytes), '/result', []);
}

/** Makes the `Fit` for `nd_builtin_cache`, at most `limitBytes` of JSON: all of it or nothing. */
export function fitNdBuiltinCache(limitBytes: number): Fit {
  return fitter(boundedJson(limitBytes), '/nd_builtin_cache', []);
}

function fitter(json: BoundedJson, pointer: string, sheddings: readonly Shedding[]): Fit {
  return (value, erased) => {
    if (value === undefined) return undefined;
    let left: unknown = value;
    let text = json(left);
    for (const shedding of sheddings) {
      if (text !== undefined) return text;
      const smaller = removeAt(left, shedding.path);
      if (smaller === undefined) continue;
      left = smaller.value;
      erased.push(shedding.pointer);
      text = json(left);
    }
    if (text === undefined) erased.push(pointer);
    return text;
  };
}
