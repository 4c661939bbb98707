/** What a later question shows, so that what did not change is not sent again (RFC 9110 13.1). They count for the URL that gave them. */
export type Validators = {
  readonly url: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
};

/** Opaque (RFC 9110 8.8.3); what goes back in a header field is kept to what may stand there, and short. */
const ETAG = /^(?:W\/)?"[\x21\x23-\x7e]{0,1024}"$/;
/** The one form of date that servers may send (RFC 9110 5.6.7). */
const DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** Those of an answer, where it has any that can be shown again. */
export function validatorsOf(url: URL, headers: Readonly<Record<string, string>>): Validators | undefined {
  const etag = matching(headers['etag'], ETAG);
  const lastModified = matching(headers['last-modified'], DATE);
  return etag === undefined && lastModified === undefined ? undefined : { url: url.href, etag, lastModified };
}

/** The header fields of a conditional question to `url`; undefined where nothing is known of it. */
export function conditions(url: URL, known: Validators | undefined): Readonly<Record<string, string>> | undefined {
  if (known?.url !== url.href) return undefined;
  return {
    ...(known.etag !== undefined && { 'if-none-match': known.etag }),
    ...(known.lastModified !== undefined && { 'if-modified-since': known.lastModified }),
  };
}

function matching(text: string | undefined, form: RegExp): string | undefined {
  return text !== undefined && form.test(text) ? text : undefined;
}
