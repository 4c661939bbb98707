import { isRecord } from './api-resource.ts';

/**
 * The AdmissionReview (admission.k8s.io/v1) that refuses a request because we failed, so that the pod's owner reads why; undefined where the request
 * does not say its `uid`.
 */
export function failedReview(text: string): string | undefined {
  const uid = uidOf(text);
  if (uid === undefined) return undefined;
  const message =
    'sallyport: the injector failed on this pod, so it was not let in; its log says more. Try again, or tell whoever runs Sallyport';
  const status = { code: 500, reason: 'InternalError', message };
  const response = { uid, allowed: false, status };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
}

function uidOf(text: string): string | undefined {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { request } = isRecord(review) ? review : {};
  const { uid } = isRecord(request) ? request : {};
  return typeof uid === 'string' && /^[0-9A-Za-z-]{1,128}$/.test(uid) ? uid : undefined;
}
