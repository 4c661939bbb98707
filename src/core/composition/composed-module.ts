/** What a composed policy is asked. */
export const COMPOSED_ENTRYPOINT = 'sallyport/composed/decision';

/** Whose answers are composed. */
export type Voices = {
  readonly namespace: string;
  /** The platform has rules. */
  readonly platform: boolean;
  /** The entrypoint of the namespace's policy; undefined where it has none. */
  readonly decision: string | undefined;
};

const REASONS = `
platform_heard if is_set(data.sallyport.platform.deny)

# What is no text is told as JSON.
platform_reasons := [reason_text(reason) | some reason in data.sallyport.platform.deny]

reason_text(reason) := reason if {
	is_string(reason)
} else := json.marshal(reason)
`;

// `not is_set(…)` of a rule that is undefined is undefined in OPA (it takes the argument out of the negation), and the next branch would answer: hence a rule between.
const PLATFORM_FIRST = `{"allowed": false, "reasons": ["the platform's deny is no set of reasons, so everything is denied"]} if {
	not platform_heard
} else := {"allowed": false, "reasons": platform_reasons} if {
	count(data.sallyport.platform.deny) > 0
} else := `;

/**
 * The Rego that composes. The platform is asked first, outside of anything that the namespace evaluates; a `deny` that is undefined, or is no set, denies. Where it
 * does not deny, the answer is the namespace's as it stands: a boolean, an object of OPA-Envoy's, or none.
 */
export function composedModule({ namespace, platform, decision }: Voices): string {
  const answer = decision === undefined ? noPolicy(namespace) : referenceTo(decision);
  const head = `package sallyport.composed\n\ndecision := ${platform ? PLATFORM_FIRST : ''}${answer}\n`;
  return platform ? `${head}${REASONS}` : head;
}

function noPolicy(namespace: string): string {
  const reason = `no policy for namespace ${namespace}: create ConfigMap sallyport-policy`;
  return JSON.stringify({ allowed: false, reasons: [reason] });
}

/** `a/b` as `data["a"]["b"]`: no part of a name can be read as anything else. */
function referenceTo(entrypoint: string): string {
  return `data${entrypoint
    .split('/')
    .map((key) => `[${JSON.stringify(key)}]`)
    .join('')}`;
}
