import * as z from 'zod';

import { duration, list, mapOf, oneOf, path, section, size, text } from './fields.ts';
import { spiffeId } from './identity-section.ts';
import { parseHttpUrl, parseJournalTarget, REGISTRY_LOGIN } from './targets.ts';

import type { JournalTarget, PlainJournalTarget } from './targets.ts';

/** RFC 6750 2.1: `b64token`; nothing in it can end a header field. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,8192}=*$/;
const KEY_ID = /^[^\0]{1,256}$/;

/** Signature algorithms of OPA's bundles (OPA documentation, "Signing"); the configured one counts, never that of a header. */
export const BUNDLE_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'HS256',
  'HS384',
  'HS512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const;

const httpUrl = () => text('an http(s):// URL without user and password', parseHttpUrl, /^https?:\/\/.+$/);

/** How any server of OPA's management APIs is reached. */
const access = (timeout: string) => ({
  token: text('a bearer token (RFC 6750 2.1)', (value) => (TOKEN.test(value) ? value : undefined), TOKEN)
    .optional()
    .describe('Bearer token, best as `${NAME}`. Never shown.'),
  tokenFile: path('a file with a bearer token')
    .optional()
    .describe('File with the bearer token, readable by its owner (and group) only; read anew for each request.'),
  trustBundle: path('a PEM file with the authorities of the server')
    .optional()
    .describe("PEM file of the CA certificates that the server's has to come from; without it those of the system."),
  certificate: path('a PEM file with the certificate chain for the server')
    .optional()
    .describe('Client certificate chain for mTLS with the server, PEM, leaf first; with `privateKey`.'),
  privateKey: path('a PEM file with the private key for the server')
    .optional()
    .describe('Private key of that certificate, PEM, readable by its owner (and group) only.'),
  timeout: duration(100, 600_000)
    .prefault(timeout)
    .describe('How long one request may take; a long poll may take its wait in addition.'),
});

/** Pauses where nothing is said. */
export const DELAYS = {
  bundleServer: ['60s', '120s'],
  receiver: ['1s', '3s'],
  status: ['30s', '60s'],
} as const satisfies Readonly<Record<string, readonly [min: string, max: string]>>;

const delays = ([min, max]: readonly [min: string, max: string], what: string) => ({
  minDelay: duration(100, 86_400_000)
    .prefault(min)
    .describe(`Least pause between two ${what}; each is chosen at random.`),
  maxDelay: duration(100, 86_400_000)
    .prefault(max)
    .describe(`Greatest pause between two ${what}, and between attempts that fail.`),
});

const TOKEN_OR_LOGIN = new RegExp(`${TOKEN.source}|${REGISTRY_LOGIN.source}`);

/** `policy.bundleServer`: OPA documentation, "Bundle Service API". */
export const bundleServerSection = section({
  ...access('30s'),
  token: text(
    'a bearer token (RFC 6750 2.1), or USER:PASSWORD for a registry',
    (value) => (TOKEN_OR_LOGIN.test(value) ? value : undefined),
    TOKEN_OR_LOGIN,
  )
    .optional()
    .describe(
      'Bearer token, best as `${NAME}`; for a registry (`oci://`) `USER:PASSWORD` too, which is shown to it or to the token service that it names. Never shown elsewhere.',
    ),
  tokenFile: path('a file with a bearer token, or with USER:PASSWORD for a registry')
    .optional()
    .describe('File with that, readable by its owner (and group) only; read anew for each request.'),
  peer: spiffeId('the bundle server')
    .optional()
    .describe(
      "The identity that the server must prove: mutual TLS with this sidecar's own identity, and the server's chain is judged by the trust bundle of that ID's trust domain, as that of any peer. In place of `trustBundle`, `certificate` and `privateKey`.",
    ),
  ...delays(DELAYS.bundleServer, 'downloads'),
  longPolling: duration(1_000, 3_600_000)
    .optional()
    .describe(
      'How long the server may hold a request until there is something new (`Prefer: wait`); without it there is no long polling. Not with a registry.',
    ),
  persist: path('a folder for the last good bundle')
    .optional()
    .describe(
      'Folder of this process for the last good bundle, used at start while the server cannot be reached. Made with mode 0700; it must not be writable by others.',
    ),
});

/** `policy.verification`: OPA documentation, "Signing". */
export const verificationSection = section({
  keys: mapOf(
    'a key id',
    KEY_ID,
    section({
      algorithm: oneOf(...BUNDLE_ALGORITHMS).describe('Algorithm of the key; that of a signature is not believed.'),
      file: path('a file with the key')
        .optional()
        .describe('Public key or certificate as PEM, or for `HS…` the shared secret as it stands.'),
      secret: z
        .string({ error: 'the shared secret' })
        .min(1, { error: 'the shared secret' })
        .optional()
        .describe('Shared secret of `HS…`, best as `${NAME}`. Never shown.'),
    }),
  ).describe('Keys that a bundle may be signed with, by id.'),
  keyId: text('the id of one of the keys', (value) => (KEY_ID.test(value) ? value : undefined))
    .optional()
    .describe('The one key that counts, whatever a signature names.'),
  scope: z.string({ error: 'text' }).optional().describe('The scope that a signature must state.'),
});

/** `status`: OPA documentation, "Status Service API". */
export const statusSection = section({
  url: httpUrl().describe('Where status is posted to, such as `https://control.example.org/status`.'),
  ...access('10s'),
  ...delays(DELAYS.status, 'reports without a change'),
});

const JOURNAL_ENTRY = 'stdout, file:PATH, the http(s):// URL of a decision-log receiver, or a map with to or url';
const TARGET = /^(stdout|file:.+|https?:\/\/.+)$/;
const PLAIN_TARGET = /^(stdout|file:.+)$/;

/** What a receiver gets where nothing else is said. */
const receiver = section({
  to: text('stdout or file:PATH', plainTarget, PLAIN_TARGET).optional().describe('`stdout` or `file:PATH`.'),
  url: httpUrl()
    .optional()
    .describe(
      'A decision-log receiver: where records are posted to as OPA does (JSON array, gzip), such as `https://control.example.org/logs`. Each arrives once or more: `decision_id` tells repeats.',
    ),
  ...access('30s'),
  ...delays(DELAYS.receiver, 'uploads that are not full'),
  maxBytes: size(16 * 1_024, 16 * 1_048_576)
    .prefault('256KiB')
    .describe(
      "Most bytes of one upload, compressed. OPA's 32KiB hold a few hundred of our records; 256KiB hold one to three thousand and stay below the 1 MiB that common proxies accept.",
    ),
});

const entry = z
  .union([text(JOURNAL_ENTRY, parseJournalTarget, TARGET), receiver], { error: JOURNAL_ENTRY })
  .transform((value): JournalTarget => {
    if ('kind' in value) return value.kind === 'http' ? { ...RECEIVER_DEFAULTS, ...value } : value;
    const { to, url, ...settings } = value;
    return to ?? { ...settings, kind: 'http', url: url ?? '' };
  });

const { to: _to, url: _url, ...RECEIVER_DEFAULTS } = receiver.parse({});

/** `journal`. */
export const journalSection = list('places to write decision records to', entry, 1)
  .prefault(['stdout'])
  .describe('Where decision records go, each as text or as a map.');

function plainTarget(value: string): PlainJournalTarget | undefined {
  const target = parseJournalTarget(value);
  return target?.kind === 'http' ? undefined : target;
}
