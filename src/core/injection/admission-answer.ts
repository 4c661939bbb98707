import { boundedWarnings } from './pod-warnings.ts';

import type { InjectionRefusal, JsonPatchOperation } from '../model/injection.ts';

/** What the API server is told. */
export type AdmissionVerdict =
  | {
      readonly kind: 'allowed';
      readonly patch: readonly JsonPatchOperation[];
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'denied'; readonly refusals: readonly InjectionRefusal[] };

/** Long enough for what is wrong with any one pod; events cut at 1024 characters, so that the first lines matter most. */
const MAX_MESSAGE = 4_096;

/** The AdmissionReview that answers the question `uid` (admission.k8s.io/v1, `AdmissionResponse`), as JSON. */
export function admissionAnswer(uid: string, verdict: AdmissionVerdict): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, ...response(verdict) },
  });
}

function response(verdict: AdmissionVerdict): Readonly<Record<string, unknown>> {
  switch (verdict.kind) {
    case 'allowed': {
      const warnings = boundedWarnings(verdict.warnings);
      return {
        allowed: true,
        ...(verdict.patch.length === 0 ? {} : { patchType: 'JSONPatch', patch: base64(JSON.stringify(verdict.patch)) }),
        ...(warnings.length === 0 ? {} : { warnings }),
      };
    }
    case 'denied':
      return { allowed: false, status: status(verdict.refusals) };
    default:
      return verdict satisfies never;
  }
}

/** `meta/v1` Status: 503 where it may be better in a moment, else 403. */
function status(refusals: readonly InjectionRefusal[]): Readonly<Record<string, unknown>> {
  const isLater = refusals.length > 0 && refusals.every(({ kind }) => kind === 'not_ready');
  const reason = isLater ? { code: 503, reason: 'ServiceUnavailable' } : { code: 403, reason: 'Forbidden' };
  return { ...reason, message: refusalMessage(refusals) };
}

/** All refusals, one a line with its place, as the owner of the pod reads them; bounded, and says how many more there are. */
export function refusalMessage(refusals: readonly InjectionRefusal[]): string {
  // The kind is what the documentation's table of refusals is looked up by.
  const lines = refusals.map(({ kind, path, message }) =>
    oneLine(`${path === '' ? '' : `${path}: `}${message} [${kind}]`),
  );
  const all = ['Sallyport lets this pod in only after a change:', ...lines.map((line) => `- ${line}`)];
  const kept: string[] = [];
  let length = 0;
  for (const line of all) {
    length += line.length + 1;
    if (length > MAX_MESSAGE - 32) break;
    kept.push(line);
  }
  const left = all.length - kept.length;
  return [...kept, ...(left === 0 ? [] : [`- and ${left} more`])].join('\n');
}

function oneLine(text: string): string {
  const line = text.replaceAll(/[\0-\x1f\x7f]+/g, ' ');
  return line.length > 1_024 ? `${line.slice(0, 1_023)}…` : line;
}

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
