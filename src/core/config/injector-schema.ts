import { parseListen } from './addresses.ts';
import { count, duration, flag, oneOf, path, section, size, text } from './fields.ts';
import { logSection } from './log-section.ts';
import { injectionSection } from './injection-section.ts';

const KIB = 1_024;
const MIB = 1_048_576;
const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** RFC 1123 label, as Kubernetes names namespaces and Services. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1123 subdomain, as Kubernetes names nearly everything else. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const IP_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+$/;

const URL_PATH = /^\/[A-Za-z0-9._~/-]{0,255}$/;

const listen = () => text('an IP address and a port, such as 0.0.0.0:8443', parseListen, IP_AND_PORT);

const name = (what: string, pattern = NAME) =>
  text(`the name of ${what}`, (value) => (pattern.test(value) ? value : undefined), pattern);

const selfMade = section({
  secret: name('a Secret')
    .prefault('sallyport-injector-tls')
    .describe(
      'Secret of the own namespace that all replicas share their key and certificate by; it has to be there, empty at first.',
    ),
  configuration: name('a MutatingWebhookConfiguration')
    .prefault('sallyport')
    .describe('The MutatingWebhookConfiguration whose `caBundle` is kept true.'),
  service: name('a Service', LABEL)
    .prefault('sallyport-injector')
    .describe(
      'Service of the own namespace that the API server calls; `SERVICE.NAMESPACE.svc` is the name in the certificate.',
    ),
  lives: duration(HOUR, 24 * DAY)
    .prefault('7d')
    .describe('Life of a certificate; made anew in good time, with a moment in which both are believed.'),
});

const certificate = section({
  source: oneOf('self', 'files')
    .prefault('self')
    .describe(
      '`self`: the injector makes and rotates it. `files`: mounted, for example by cert-manager, which then keeps `caBundle` too.',
    ),
  self: selfMade.prefault({}).describe('Settings of `source: self`.'),
  files: section({
    certificate: path('a PEM file with the certificate chain').describe(
      'Certificate chain, PEM, leaf first. Followed.',
    ),
    privateKey: path('a PEM file with the private key').describe('Private key, PEM. Followed.'),
  })
    .optional()
    .describe('Settings of `source: files`.'),
});

const webhook = section({
  listen: listen().prefault('0.0.0.0:8443').describe('Address for the API server: HTTPS.'),
  path: text('a path such as /inject', (value) => (URL_PATH.test(value) ? value : undefined), URL_PATH)
    .prefault('/inject')
    .describe('Path of the webhook.'),
  maxBytes: size(64 * KIB, 64 * MIB)
    .prefault('8MiB')
    .describe(
      'A larger AdmissionReview is refused; the API server itself takes objects of up to 3 MiB, and an update shows two.',
    ),
  connections: count(1, 100_000).prefault(256).describe('Open connections.'),
  timeout: duration(SECOND, 30 * SECOND)
    .prefault('9s')
    .describe('How long one request may take; less than `timeoutSeconds` of the webhook configuration.'),
  certificate: certificate.prefault({}).describe('The serving certificate.'),
  drain: duration(0, 60 * SECOND)
    .prefault('5s')
    .describe('After SIGTERM: how long it goes on taking new requests, while the Service still sends some.'),
});

const policyService = section({
  listen: listen()
    .prefault('127.0.0.1:8446')
    .describe('Address on loopback for the sidecar in front, which lets each namespace have its own policy only.'),
  platform: path("the folder of the platform's rules")
    .optional()
    .describe(
      "Folder with the platform's own Rego and data (a mounted ConfigMap), which no namespace can weaken. Followed.",
    ),
  library: flag().prefault(true).describe("Whether namespaces may import Sallyport's own library of rules."),
  configMap: name('a ConfigMap')
    .prefault('sallyport-policy')
    .describe('ConfigMap of each namespace with its policy in force.'),
  candidateConfigMap: name('a ConfigMap')
    .prefault('sallyport-policy-candidate')
    .describe('ConfigMap of each namespace with a policy that is tried in shadow beside the one in force.'),
  serviceAccounts: flag()
    .prefault(false)
    .describe('Also watch service accounts, whose label `sallyport.dev/segment` then outweighs that of the namespace.'),
});

/** The configuration file of `sallyport injector`. */
export const injectorSchema = section({
  namespace: name('a namespace', LABEL)
    .prefault('sallyport-system')
    .describe('The namespace that the injector runs in.'),
  webhook: webhook.prefault({}).describe('What the API server calls.'),
  health: section({
    listen: listen()
      .prefault('0.0.0.0:8080')
      .describe('Address of `/healthz`, `/readyz` and `/metrics`: plain HTTP, asked by the kubelet and by Prometheus.'),
  })
    .prefault({})
    .describe('Health and metrics of the injector.'),
  trust: section({
    roots: path('a PEM file with the roots of the trust domain')
      .optional()
      .describe(
        'Roots that sidecars check the authority with at the first contact (the mounted ConfigMap that the authority publishes). Followed; needed with `sidecar.identity.source: authority`.',
      ),
  })
    .prefault({})
    .describe('What injected sidecars believe at first.'),
  policyService: policyService
    .optional()
    .describe(
      'The policy service for namespaces; none without this key. Needed with `sidecar.policy.source: namespace`.',
    ),
  sidecar: injectionSection.describe('What is injected.'),
  log: logSection(),
  shutdown: section({
    grace: duration(0, 10 * 60 * SECOND)
      .prefault('10s')
      .describe('After SIGTERM and the drain: how long open requests may take to finish.'),
  })
    .prefault({})
    .describe('How the process ends.'),
});
