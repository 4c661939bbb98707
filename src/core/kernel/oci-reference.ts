/** An image in a registry (OCI Distribution Specification 1.1). */
export type OciReference = {
  /** Host and port, as they stand in a URL: lower case, IPv6 in brackets. */
  readonly registry: string;
  readonly repository: string;
  /** A tag, or a digest `sha256:…`: no tag has a colon. */
  readonly reference: string;
};

const SCHEME = 'oci://';

/** DNS name, IPv4 or bracketed IPv6, and a port. What is a host at all, `URL` says. */
const REGISTRY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?$/;

/** OCI Distribution Specification 1.1, "Pulling manifests": `<name>`. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const MAX_NAME = 255;

/** As before: `<reference>` as a tag. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** OCI Image Format Specification 1.1, "Digests", of the one algorithm that all registries have. */
export const OCI_DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Reads `oci://REGISTRY[:PORT]/REPOSITORY:TAG`, `…@sha256:DIGEST`, or `…:TAG@sha256:DIGEST`, where the digest alone counts. Undefined for anything else. One of the two has to
 * be there: `latest` would be a guess at what decides here.
 */
export function parseOciReference(text: string): OciReference | undefined {
  if (!text.startsWith(SCHEME) || text.length > 1_024) return undefined;
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const registry = slash < 0 ? undefined : hostOf(rest.slice(0, slash));
  const named = slash < 0 ? undefined : nameOf(rest.slice(slash + 1));
  return registry === undefined || named === undefined ? undefined : Object.freeze({ registry, ...named });
}

function hostOf(text: string): string | undefined {
  const url = REGISTRY.test(text) ? URL.parse(`https://${text}/`) : null;
  // `URL` leaves the port of https out; it is said all the same, as plain HTTP has another.
  return url === null ? undefined : text.endsWith(':443') ? `${url.hostname}:443` : url.host;
}

function nameOf(text: string): Pick<OciReference, 'repository' | 'reference'> | undefined {
  const [tagged = '', digest, ...more] = text.split('@');
  const [repository = '', tag, ...colons] = tagged.split(':');
  if (more.length > 0 || colons.length > 0 || !isName(repository)) return undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  if (digest !== undefined && !OCI_DIGEST.test(digest)) return undefined;
  const reference = digest ?? tag;
  return reference === undefined ? undefined : { repository, reference };
}

function isName(text: string): boolean {
  return text.length <= MAX_NAME && text.split('/').every((part) => COMPONENT.test(part));
}
