import { admissionAnswer } from '../core/injection/admission-answer.ts';
import { readAdmissionReview, type AdmissionAsk } from '../core/injection/admission-review.ts';
import { injectPod } from '../core/injection/inject-pod.ts';
import { refusal } from '../core/injection/injection.ts';
import { judgeEphemeral } from '../core/injection/judge-ephemeral.ts';
import type {
  InjectionFacts,
  InjectionRefusal,
  InjectionSettings,
  JsonPatchOperation,
} from '../core/model/injection.ts';
import type { WebhookOutcome } from '../io/kube/webhook-observer.ts';
import type { ReviewAnswer } from '../io/kube/webhook-server.ts';

/** What an injector knows now; undefined while something that every injection needs is missing, which `why` names. */
export type InjectorKnowledge =
  | { readonly kind: 'known'; readonly facts: InjectionFacts; readonly labels: (namespace: string) => Labels }
  | { readonly kind: 'unknown'; readonly why: string };

type Labels = Readonly<Record<string, string>>;

/** Who hears of each answer: one line of the process log. */
export type AdmissionLog = {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
};

/** Answers one AdmissionReview: a pod gets its patch, or every reason why it is not let in. */
export function answerAdmission(
  text: string,
  settings: InjectionSettings,
  knowledge: InjectorKnowledge,
  log: AdmissionLog,
): ReviewAnswer {
  const ask = readAdmissionReview(text);
  if (!ask.ok) return { kind: 'malformed', detail: ask.error };
  switch (ask.value.kind) {
    case 'pod':
      return answerPod(ask.value, settings, knowledge, log);
    case 'ephemeral': {
      const { oldPod, pod } = ask.value;
      const refusals = judgeEphemeral(oldPod, pod, settings);
      return refusals.length > 0 ? denied(ask.value, refusals, log) : allowed(ask.value, [], [], { kind: 'skipped' });
    }
    default:
      return ask.value satisfies never;
  }
}

function answerPod(
  ask: Extract<AdmissionAsk, { kind: 'pod' }>,
  settings: InjectionSettings,
  knowledge: InjectorKnowledge,
  log: AdmissionLog,
): ReviewAnswer {
  if (knowledge.kind === 'unknown')
    return denied(ask, [refusal('not_ready', '', `the injector is not ready: ${knowledge.why}; try again`)], log);
  const { namespace: name } = ask;
  const namespace = { name, labels: knowledge.labels(name) };
  const injection = injectPod({ pod: ask.pod, namespace }, settings, knowledge.facts);
  if (!injection.ok) return denied(ask, injection.error, log);
  if (injection.value.kind === 'skipped') {
    const { reason } = injection.value;
    log.info({ namespace: name, pod: nameOf(ask.pod), reason }, 'a pod is left without a sidecar');
    return allowed(ask, [], [], { kind: 'skipped' });
  }
  const { patch, warnings } = injection.value;
  return allowed(ask, patch, warnings, { kind: 'injected' });
}

function allowed(
  { uid }: AdmissionAsk,
  patch: readonly JsonPatchOperation[],
  warnings: readonly string[],
  outcome: WebhookOutcome,
): ReviewAnswer {
  return { kind: 'answered', text: admissionAnswer(uid, { kind: 'allowed', patch, warnings }), outcome };
}

function denied(ask: AdmissionAsk, refusals: readonly InjectionRefusal[], log: AdmissionLog): ReviewAnswer {
  const { uid, namespace, dryRun, pod } = ask;
  const reasons = [...new Set(refusals.map(({ kind }) => kind))];
  log.info({ namespace, pod: nameOf(pod), dry_run: dryRun, reasons }, 'a pod is not let in');
  const text = admissionAnswer(uid, { kind: 'denied', refusals });
  return { kind: 'answered', text, outcome: { kind: 'refused', reasons } };
}

/** `NAME`, or `PREFIX*` of a pod that a controller makes; the names of Kubernetes are short, and anything else is left out of the log. */
function nameOf(pod: unknown): string | undefined {
  const { metadata } = (pod ?? {}) as { readonly metadata?: unknown };
  const { name, generateName } = (metadata ?? {}) as { readonly name?: unknown; readonly generateName?: unknown };
  const said = typeof name === 'string' && name !== '' ? name : undefined;
  const shown = said ?? (typeof generateName === 'string' ? `${generateName}*` : undefined);
  return shown !== undefined && /^[-.*a-z0-9]{1,254}$/.test(shown) ? shown : undefined;
}
