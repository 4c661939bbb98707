/** Names of fields whose values never stand in a log, in any case of letters. */
const SECRET_NAMES =
  /^(authorization|proxy-authorization|cookie|set-cookie|password|passphrase|secret|token|private_?key)$/i;

/** A private key in PEM, whole or cut short (RFC 7468). */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----[^-]*(-----END [A-Z0-9 ]{0,32}PRIVATE KEY-----)?/g;

const REDACTED = '[redacted]';
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_TEXT = 4_096;

/**
 * Fields of a log line without secrets (promise 10) and within bounds: nesting, items and lengths of text. Callers pass none; this is the net
 * under them. Errors become name, message, code and stack.
 */
export function withoutSecrets(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return cleanMembers(Object.entries(fields), 0);
}

function cleanMembers(entries: readonly (readonly [string, unknown])[], depth: number): Record<string, unknown> {
  return Object.fromEntries(
    entries
      .slice(0, MAX_ITEMS)
      .map(([name, value]) => [name, SECRET_NAMES.test(name) ? REDACTED : clean(value, depth)]),
  );
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[nested]';
  if (value instanceof Error) return cleanMembers(errorMembers(value), depth + 1);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1));
  return cleanMembers(Object.entries(value), depth + 1);
}

function cleanText(text: string): string {
  const kept = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return kept.replace(PRIVATE_KEY, REDACTED);
}

function errorMembers(error: Error): readonly (readonly [string, unknown])[] {
  const { code } = error as { code?: unknown };
  return [
    ['name', error.name],
    ['message', error.message],
    ...(code === undefined ? [] : [['code', code] as const]),
    ['stack', error.stack],
  ];
}
