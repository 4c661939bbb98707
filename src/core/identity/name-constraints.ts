import type { Certificate } from './certificate.ts';
import { isEmptyName } from './distinguished-name.ts';
import type { NameConstraints } from './extensions.ts';
import type { GeneralName } from './general-name.ts';

/**
 * Why `below` breaks `constraints` of a certificate above it (RFC 5280 4.2.1.10), or undefined. URI and DNS names are compared. A constraint
 * of another form, where the certificate has a name of that form, is a breach: it cannot be judged, so it is not let pass.
 */
export function breachOf(constraints: NameConstraints, below: Certificate): string | undefined {
  const names = [...(below.extensions.subjectAltName?.names ?? [])];
  if (!isEmptyName(below.subject)) names.push({ form: 'directory' });
  for (const name of names) {
    const wrong = breachBy(name, constraints);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function breachBy(name: GeneralName, { permitted, excluded }: NameConstraints): string | undefined {
  const required = permitted.filter(({ form }) => form === name.form);
  const forbidden = excluded.filter(({ form }) => form === name.form);
  if (required.length === 0 && forbidden.length === 0) return undefined;
  const matcher = matcherOf(name);
  if (matcher === undefined) return `a name of the form ${name.form} under a constraint that is not processed`;
  if (forbidden.some((base) => matcher(base, 'excluded'))) return `an excluded ${name.form} name`;
  if (required.length > 0 && !required.some((base) => matcher(base, 'permitted')))
    return `a ${name.form} name that is not permitted`;
  return undefined;
}

type Side = 'permitted' | 'excluded';
type Matcher = (base: GeneralName, side: Side) => boolean;

function matcherOf(name: GeneralName): Matcher | undefined {
  if (name.form === 'dns') return (base, side) => 'text' in base && matchesDns(name.text, base.text, side);
  if (name.form !== 'uri') return undefined;
  const host = hostOf(name.text);
  return host === undefined ? undefined : (base) => 'text' in base && matchesHost(host, base.text);
}

/**
 * Host of a URI in lower case; undefined where there is none or where it is an IP address: under a URI constraint such a URI is refused
 * (RFC 5280 4.2.1.10).
 */
function hostOf(uri: string): string | undefined {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1];
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
  return host === undefined || host === '' || host.includes('[') || /^[\d.]+$/.test(host) ? undefined : host;
}

/** A base with a leading dot stands for every host below it; one without for that one host. */
function matchesHost(host: string, base: string): boolean {
  const wanted = base.toLowerCase();
  return wanted.startsWith('.') ? host.endsWith(wanted) && host.length > wanted.length : host === wanted;
}

/**
 * A base stands for the name and all names below it; the empty base for every name; one with a leading dot, which RFC 5280 does not know
 * for DNS, only for names below. A wildcard is excluded when any name it stands for is.
 */
function matchesDns(name: string, base: string, side: Side): boolean {
  const wanted = base.toLowerCase();
  const below = wanted === '' || wanted.startsWith('.') ? wanted : `.${wanted}`;
  const given = name.toLowerCase();
  const inside = given === wanted || given.endsWith(below);
  if (inside || side === 'permitted' || !given.startsWith('*.')) return inside;
  return below.endsWith(given.slice(1));
}
