import { jsonFlaw } from '../kernel/json-flaw.ts';
import { err, ok } from '../kernel/result.ts';
import { at, isMap, textAt } from './json-value.ts';

import type { Result } from '../kernel/result.ts';

/** What the API server asks (admission.k8s.io/v1, `AdmissionRequest`). */
export type AdmissionAsk = {
  /** Of this question; the answer has to bear it. */
  readonly uid: string;
  readonly namespace: string;
  /** Nothing is stored: the answer must have no effect beside itself. */
  readonly dryRun: boolean;
} & (
  | { readonly kind: 'pod'; readonly pod: unknown }
  /** Ephemeral containers are added to a pod that runs. */
  | { readonly kind: 'ephemeral'; readonly oldPod: unknown; readonly pod: unknown }
);

/** The API server takes 3 MiB of a client; an update carries the object twice, with what surrounds it. */
export const MAX_REVIEW_CHARACTERS = 8 * 1_048_576;

const MAX_DEPTH = 128;
const UID = /^[0-9A-Za-z-]{1,128}$/;

/**
 * Reads an AdmissionReview strictly: exactly version v1, a pod that is created or whose ephemeral containers are updated, and no key twice, since another
 * reader could take the other one. Fails with what is wrong, for the answer 400 and the log.
 */
export function readAdmissionReview(text: string): Result<AdmissionAsk, string> {
  if (text.length > MAX_REVIEW_CHARACTERS) return err(`longer than ${MAX_REVIEW_CHARACTERS} characters`);
  const flaw = jsonFlaw(text, MAX_DEPTH);
  if (flaw !== undefined) return err(flaw);
  try {
    return review(JSON.parse(text));
  } catch {
    return err('not JSON');
  }
}

function review(value: unknown): Result<AdmissionAsk, string> {
  if (textAt(value, 'apiVersion') !== 'admission.k8s.io/v1') return err('apiVersion: admission.k8s.io/v1 is expected');
  if (textAt(value, 'kind') !== 'AdmissionReview') return err('kind: AdmissionReview is expected');
  const request = at(value, 'request');
  const uid = textAt(request, 'uid');
  const namespace = textAt(request, 'namespace');
  const dryRun = at(request, 'dryRun') ?? false;
  if (uid === undefined || !UID.test(uid)) return err('request.uid: text is expected');
  if (namespace === undefined || namespace === '') return err('request.namespace: text is expected');
  if (typeof dryRun !== 'boolean') return err('request.dryRun: true or false is expected');
  const object = at(request, 'object');
  if (!isMap(object)) return err('request.object: an object is expected');
  const about = { uid, namespace, dryRun };
  switch (subject(request)) {
    case 'CREATE pods':
      return ok({ ...about, kind: 'pod', pod: object });
    case 'UPDATE pods/ephemeralcontainers': {
      const oldPod = at(request, 'oldObject');
      return isMap(oldPod)
        ? ok({ ...about, kind: 'ephemeral', oldPod, pod: object })
        : err('request.oldObject: an object is expected');
    }
    default:
      return err('request: CREATE of pods or UPDATE of pods/ephemeralcontainers, version v1, is expected');
  }
}

/** What is done to what, such as `CREATE pods`; empty for anything but resources of the core group's v1. */
function subject(request: unknown): string {
  const resource = at(request, 'resource');
  if ((textAt(resource, 'group') ?? '') !== '' || textAt(resource, 'version') !== 'v1') return '';
  const names = [textAt(resource, 'resource'), textAt(request, 'subResource')].filter((name) => (name ?? '') !== '');
  return `${textAt(request, 'operation')} ${names.join('/')}`;
}
