import * as z from 'zod';

import { list, mapOf, section, text } from '../src/core/config/fields.ts';

/*
 * Values whose form is that of Kubernetes, not ours: the API server judges what is within.
 */

/** Text of one form; what the chart does with an empty one its description says. */
export function kubeText(expected: string, pattern: RegExp) {
  return text(expected, (value) => (pattern.test(value) ? value : undefined), pattern);
}

/** RFC 1123 subdomain, or empty. */
export function kubeName(of: string) {
  return kubeText(`the name of ${of}`, /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|-)?$/);
}

/** A Kubernetes quantity. */
export function quantity() {
  return kubeText('a quantity such as 100m or 1Gi', /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/);
}

/** An object of Kubernetes, whatever is in it. */
export function anything() {
  return z.record(z.string(), z.unknown(), { error: 'a map' });
}

/** Labels or annotations. */
export function texts() {
  return mapOf('a name', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,316}$/, z.string({ error: 'text' }));
}

/** Resources of a container. */
export function resources() {
  const amounts = mapOf('a resource', /^[a-z0-9./-]+$/, z.union([quantity(), z.number()], { error: 'a quantity' }));
  return section({ requests: amounts.optional(), limits: amounts.optional() }).describe('CPU and memory.');
}

/** What both the injector and the authority can be told of their pods. */
export const podSettings = {
  resources: resources(),
  nodeSelector: texts().describe('Labels of nodes.'),
  tolerations: list('tolerations', anything()).describe('Tolerations.'),
  affinity: anything().describe('Instead of the affinity of the chart.'),
  podLabels: texts().describe('Further labels of pods.'),
  podAnnotations: texts().describe('Further annotations of pods.'),
  serviceAccount: section({ annotations: texts().describe('Annotations.') })
    .partial()
    .describe('The service account.'),
};
