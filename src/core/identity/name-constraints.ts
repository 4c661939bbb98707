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
  for (const form of new Set(names.map((name) => name.form))) {
    const bases = (list: readonly GeneralName[]): readonly GeneralName[] => list.filter((base) => base.form === form);
    const wrong = breachOfForm(
      form,
      names.filter((name) => name.form === form),
      bases(constraints.permitted),
      bases(constraints.excluded),
    );
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** As `breachOf`, where names and subtrees are all of one form. */
function breachOfForm(
  form: GeneralName['form'],
  names: readonly GeneralName[],
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[],
): string | undefined {
  if (permitted.length === 0 && excluded.length === 0) return undefined;
  if (form !== 'uri' && form !== 'dns') return `a name of the form ${form} under a constraint that is not processed`;
  const subject = form === 'uri' ? hostOf : lowerCase;
  const matches = form === 'uri' ? isHostIn : isDnsIn;
  const required = permitted.map(lowerCase);
  const forbidden = excluded.map(lowerCase);
  for (const name of names.map(subject)) {
    if (name === undefined) return 'a URI without the name of a host';
    if (forbidden.some((base) => matches(name, base) || (form === 'dns' && expandsInto(name, base))))
      return `an excluded ${form} name`;
    if (required.length > 0 && !required.some((base) => matches(name, base)))
      return `a ${form} name that is not permitted`;
  }
  return undefined;
}

function lowerCase(name: GeneralName): string {
  return 'text' in name ? name.text.toLowerCase() : '';
}

/**
 * Host of a URI in lower case; undefined where there is none or where it is an IP address: under a URI constraint such a URI is refused
 * (RFC 5280 4.2.1.10).
 */
function hostOf(name: GeneralName): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/.exec(lowerCase(name))?.[1];
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '');
  return host === undefined || host === '' || host.includes('[') || /^[\d.]+$/.test(host) ? undefined : host;
}

/** A base with a leading dot stands for every host below it; one without for that one host. */
function isHostIn(host: string, base: string): boolean {
  return base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base;
}

/** A base stands for the name and all names below it; the empty one for every name; one with a leading dot, which RFC 5280 does not know for DNS, only for names below. */
function isDnsIn(name: string, base: string): boolean {
  if (base === '' || base.startsWith('.')) return name.endsWith(base);
  return name.endsWith(base) && (name.length === base.length || name.at(-base.length - 1) === '.');
}

/** True where `name` is a wildcard and the base is one of the names it stands for. */
function expandsInto(name: string, base: string): boolean {
  return name.startsWith('*.') && base.endsWith(name.slice(1));
}
