import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { flag, list, mapOf, oneOf, path, section, text } from './fields.ts';
import { TRUST_DOMAIN, parseCertificatePlace, parseEndpointSocket, parseListLocation } from './identity-values.ts';
import { parseHttpUrl } from './targets.ts';

import type * as z from 'zod';
import type { Frozen } from './load.ts';

/** A SPIFFE ID with a path. */
export const spiffeId = (whose: string) =>
  text(`the SPIFFE ID of ${whose}`, parseSpiffeIdText, /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/);

const httpsUrl = (what: string) =>
  text(
    `the https:// URL of ${what}`,
    (value) => (value.startsWith('https:') ? parseHttpUrl(value) : undefined),
    /^https:\/\/.+$/,
  );

const authority = section({
  url: httpsUrl('the authority').describe('Where the authority listens, such as `https://ca.internal:8444`.'),
  id: spiffeId('the authority').describe(
    'The identity that the authority must prove; its trust domain is that of this agent.',
  ),
  trustBundle: text(
    'the path of a PEM file with the roots of the trust domain, or the PEM itself',
    parseCertificatePlace,
  ).describe(
    'Roots that the authority is checked with at the first contact: the path of a PEM file, or the PEM itself (it begins with `-----BEGIN CERTIFICATE-----`). From then on the authority tells which roots are in force.',
  ),
  method: oneOf('join-token', 'kubernetes')
    .prefault('join-token')
    .describe(
      'How this agent first proves who it is: a one-time token of `sallyport ca token`, or its projected service account token.',
    ),
  token: path('a file with the token').describe(
    'File with the token; read at each enrolment, and not needed any more while a certificate can be renewed.',
  ),
  agent: spiffeId('this agent')
    .optional()
    .describe(
      'Who this agent has to become: a certificate for anybody else is refused. Without it whoever the token is for, and from then on nobody else.',
    ),
  keyType: oneOf('p256', 'ed25519').prefault('p256').describe('Kind of key that is made for each certificate.'),
  keep: path('a folder of this sidecar alone')
    .optional()
    .describe(
      'Folder where key and certificate are kept, so that a restart needs no new token. Without it they are in memory only.',
    ),
});

const workloadApi = section({
  socket: text('unix:///PATH or tcp://IP:PORT', parseEndpointSocket, /^(unix:\/\/\/.+|tcp:\/\/.+:[0-9]+)$/)
    .optional()
    .describe('The endpoint; the environment variable SPIFFE_ENDPOINT_SOCKET where absent.'),
  id: spiffeId('this agent').optional().describe('Which of several identities is ours; the first one where absent.'),
});

const federation = section({
  url: httpsUrl('a SPIFFE bundle endpoint').describe('The bundle endpoint, a JWKS document.'),
  profile: oneOf('https_web', 'https_spiffe').describe(
    'How the endpoint proves itself: `https_web` by a certificate for its host name, `https_spiffe` by a SPIFFE ID.',
  ),
  id: spiffeId('the endpoint').optional().describe('With `https_spiffe`: the identity that the endpoint must prove.'),
  trustBundle: path('a PEM file with CA certificates')
    .optional()
    .describe(
      "With `https_spiffe`: the roots that the endpoint is checked with at first. With `https_web`: believed instead of the system's.",
    ),
});

/** `identity`. */
export const identitySection = section({
  source: oneOf('files', 'authority', 'workload-api')
    .prefault('files')
    .describe(
      'Where our certificate comes from: `files`, `authority` (`sallyport ca serve`: enrols and renews by itself) or `workload-api` (SPIFFE, for example SPIRE).',
    ),
  certificate: path('a PEM file with the certificate chain, leaf first')
    .optional()
    .describe(
      'Certificate chain of this agent, PEM, leaf first; needed with `source: files`, but for a PKCS#12 file. Followed when it changes.',
    ),
  privateKey: path('a PEM file with the private key')
    .optional()
    .describe(
      'Private key of the leaf, readable by its owner only; needed with `source: files`: PEM (encrypted too), a `.p12` or `.pfx` file, or a PEM file of a PKCS#11 URI. Followed when it changes.',
    ),
  passphrase: path('a file with the passphrase of the private key')
    .optional()
    .describe(
      'File with the passphrase of an encrypted private key, or of the key in `authority.keep`; readable by its owner only.',
    ),
  trustBundles: mapOf(
    'a trust domain (lower case)',
    TRUST_DOMAIN,
    path('a PEM file with the authorities of that trust domain'),
  )
    .prefault({})
    .describe(
      'One PEM file of CA certificates for each trust domain; they are never pooled. Needed with `source: files`. Followed when they change.',
    ),
  federation: mapOf('a trust domain (lower case)', TRUST_DOMAIN, federation)
    .prefault({})
    .describe('Trust domains whose bundle is fetched again and again from a SPIFFE bundle endpoint.'),
  revocationLists: list(
    'files and URLs',
    text('a file with certificate revocation lists, PEM or DER, or the http(s):// URL of one', parseListLocation),
  )
    .prefault([])
    .describe(
      'Certificate revocation lists. Files are followed when they change; URLs are asked again before a list ends.',
    ),
  persist: path('a folder of this sidecar alone')
    .optional()
    .describe(
      'Folder where bundles and lists that were fetched are kept, for a restart while their servers are away; it also keeps a restart from going back to older ones.',
    ),
  requireRevocationLists: flag()
    .prefault(false)
    .describe('Refuse peers for whose issuers there is no current revocation list.'),
  authority: authority.optional().describe('Settings of `source: authority`.'),
  workloadApi: workloadApi.optional().describe('Settings of `source: workload-api`.'),
});

/** As the schema gives it; `toIdentity` makes a union of it. */
export type IdentityOutput = Frozen<z.output<typeof identitySection>>;
