import * as z from 'zod';

import { parseListen } from './addresses.ts';
import { count, duration, flag, list, mapOf, path, section, text } from './fields.ts';
import { logSection } from './log-section.ts';
import { spiffeId } from './identity-section.ts';
import { TRUST_DOMAIN, parseIdTemplate } from './identity-values.ts';
import { parseHttpUrl } from './targets.ts';

/** RFC 1123 label, as Kubernetes names namespaces and service accounts; `*` is any. */
const KUBE_NAME = /^(?:\*|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;
const IP_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+$/;
/** Where an authority listens that was not told otherwise. */
export const DEFAULT_LISTEN = '127.0.0.1:8444';
const MINUTE = 60_000;
const DAY = 86_400_000;

const listen = () => text('an IP address and a port, such as 0.0.0.0:8444', parseListen, IP_AND_PORT);

/** RFC 1123 subdomain, as Kubernetes names ConfigMaps. */
const CONFIG_MAP = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
/** RFC 1123 label, as Kubernetes names namespaces. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

const publish = section({
  configMap: text('the name of a ConfigMap', (name) => (CONFIG_MAP.test(name) ? name : undefined), CONFIG_MAP).describe(
    'ConfigMap that the roots are written to, as `roots.pem` and `bundle.json`; made where it is missing.',
  ),
  namespace: text('a namespace', (name) => (NAMESPACE.test(name) ? name : undefined), NAMESPACE)
    .optional()
    .describe('Its namespace; the one that the authority runs in where absent.'),
});

const kubernetes = section({
  audience: z
    .string({ error: 'text' })
    .min(1)
    .max(256)
    .prefault('sallyport')
    .describe('The audience that projected service account tokens must be for.'),
  id: text('a SPIFFE ID with {namespace} and {serviceAccount}, told apart by one of / . _', parseIdTemplate)
    .optional()
    .describe('The ID of a service account; `spiffe://TRUST-DOMAIN/ns/{namespace}/sa/{serviceAccount}` where absent.'),
  namespaces: mapOf(
    'a namespace, or * for any',
    KUBE_NAME,
    list(
      'service accounts, or *',
      text('a service account, or *', (name) => (KUBE_NAME.test(name) ? name : undefined), KUBE_NAME),
      1,
    ),
  )
    .prefault({ '*': ['*'] })
    .describe('Which service accounts of which namespaces may enrol.'),
  bindPod: flag()
    .prefault(true)
    .describe(
      'Take only tokens that are bound to a pod, ask the API server for that pod at enrolment and at each renewal, and refuse one that is gone or has another service account. The authority must be allowed to `get` `pods`.',
    ),
  podAddress: flag()
    .prefault(true)
    .describe(
      'With `bindPod`: the connection must come from an address of the pod. `false` where the network translates addresses between pods and the authority; a token or key that was taken out of a pod is then good elsewhere while the pod lives.',
    ),
  outage: duration(0, 30 * DAY)
    .prefault('24h')
    .describe(
      "With `bindPod`: how long after the API server's last word on a pod its certificate is renewed while the API server cannot be asked.",
    ),
  publish: publish
    .optional()
    .describe('Publishes the roots in the cluster, at the start and at each change; nowhere without this key.'),
  api: text('the https:// URL of the API server', (value) =>
    value.startsWith('https:') ? parseHttpUrl(value) : undefined,
  )
    .optional()
    .describe('The API server; the one of the cluster that the authority runs in where absent.'),
  trustBundle: path('a PEM file')
    .optional()
    .describe('CA certificates of the API server; the mounted ones where absent.'),
  token: path('a file')
    .optional()
    .describe("The authority's own token for the API server; the mounted one where absent."),
});

const workloadApi = section({
  socket: path('a unix socket').describe(
    'Where the SPIFFE Workload API is served, a path (callers name it `unix:///PATH`) in a folder that only its owner can enter: whoever can open it gets these identities.',
  ),
  group: flag().prefault(false).describe("Let the socket's group open it too (mode 0660 rather than 0600)."),
  identities: list(
    'identities',
    section({
      id: spiffeId('a local workload').describe('The identity that local callers get.'),
      hint: z.string({ error: 'text' }).max(256).prefault('').describe('The hint that tells it from the others.'),
    }),
    1,
  ).describe('What is served, the default identity first.'),
});

/** The configuration file of `sallyport ca serve`. */
export const authoritySchema = section({
  trustDomain: text(
    'a trust domain (lower case)',
    (value) => (TRUST_DOMAIN.test(value) ? value : undefined),
    TRUST_DOMAIN,
  )
    .prefault('example.org')
    .describe('The trust domain whose identities are issued: the one that `ca init` was told.'),
  dir: path('the folder of the authority')
    .prefault('certs')
    .describe('Folder with roots, issuing certificate and key, state and log; made by `sallyport ca init`.'),
  listen: listen()
    .prefault(DEFAULT_LISTEN)
    .describe(
      'Address for sidecars: TLS with the identity of the authority. `/v1/bundle` there is the bundle endpoint for other trust domains (`https_spiffe`).',
    ),
  id: spiffeId('the authority')
    .optional()
    .describe('The identity of the authority; `spiffe://TRUST-DOMAIN/sallyport/authority` where absent.'),
  privateKey: path('a file with the key that issues')
    .optional()
    .describe(
      'Key of the issuing certificate where it is not the file that `ca init` made: PEM, encrypted PEM, PKCS#12, or the URI of a key in a PKCS#11 token.',
    ),
  passphrase: path('a file').optional().describe('File with the passphrase of the key; readable by its owner only.'),
  lifetimes: section({
    leaf: duration(10_000, 30 * DAY)
      .prefault('1h')
      .describe('Life of what is issued.'),
    list: duration(5_000, 30 * DAY)
      .prefault('10m')
      .describe('From one revocation list to the moment when the next is due; each is made anew at half of it.'),
  })
    .prefault({})
    .describe('How long things live. Short lives are the first means of revocation.'),
  crl: section({ listen: listen().describe('Plain HTTP address; lists are signed.') })
    .optional()
    .describe(
      'A plain listener that serves the revocation list (`/v1/crl`) and nothing else: a trust bundle must not come over it.',
    ),
  health: section({
    listen: listen().describe(
      'Plain HTTP address for probes and scrapers: whoever reaches it reads health and metrics, and nothing else. Not only loopback.',
    ),
  })
    .optional()
    .describe('Serves `/healthz`, `/readyz` and `/metrics`; nothing without this key.'),
  kubernetes: kubernetes.optional().describe('Enrolment by Kubernetes service account tokens; none without this key.'),
  workloadApi: workloadApi.optional().describe('The SPIFFE Workload API for local callers; none without this key.'),
  limits: section({
    perSource: count(1, 10_000).prefault(5).describe('Requests for a certificate a second of one address, on average.'),
    perId: count(1, 10_000)
      .prefault(60)
      .describe('Certificates a minute for one ID, on average; all replicas of a workload share one.'),
    connections: count(1, 100_000).prefault(4_096).describe('Open connections.'),
  })
    .prefault({})
    .describe('Bounds on what callers can ask for.'),
  log: logSection(' Issued certificates are written to `issuance.jsonl` in `dir`.'),
  shutdown: section({
    grace: duration(0, 10 * MINUTE)
      .prefault('5s')
      .describe('After SIGTERM: how long open requests may take to finish.'),
  })
    .prefault({})
    .describe('How the process ends.'),
});
