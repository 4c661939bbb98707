import * as z from 'zod';

import { authoritySchema } from '../src/core/config/authority-schema.ts';
import { count, flag, list, mapOf, oneOf, section, text } from '../src/core/config/fields.ts';
import { injectionSection } from '../src/core/config/injection-section.ts';
import { injectorSchema } from '../src/core/config/injector-schema.ts';
import { anything, kubeName, kubeText, podSettings, quantity, resources, texts } from './kubernetes-values.ts';

/*
 * What stands in the chart's values. The settings of the programs are those of their own files, less what the chart itself has to say: addresses,
 * mounted paths, names of its objects.
 */

const injector = injectorSchema.shape;
const webhookConfig = injector.webhook.unwrap();
const policyService = injector.policyService.unwrap();
const selfMade = webhookConfig.shape.certificate.unwrap().shape.self.unwrap();
const injectedIdentity = injectionSection.shape.identity.unwrap().shape;
const injectedBundle = injectionSection.shape.policy.unwrap().shape.bundle;

const PEM = /^\s*(-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*)?$/;

/** What the policy service takes as a policy's file: Rego, and data by its place, as `fleet.segments.yaml`. */
const PLATFORM_FILE = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(rego|json|yaml|yml)$/;

const image = section({
  repository: kubeText('an image without tag', /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,400}$/).describe('Image without tag.'),
  tag: kubeText('a tag', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$|^$/).describe("Tag; the chart's appVersion where empty."),
  digest: kubeText('sha256:DIGEST', /^(sha256:[0-9a-f]{64})?$/).describe('Digest, which outweighs the tag.'),
  pullPolicy: oneOf('Always', 'IfNotPresent', 'Never').describe('When nodes fetch the image.'),
});

const injectorValues = section({
  replicas: count(1, 50).describe('Replicas, all equal: none leads.'),
  config: section({
    webhook: webhookConfig
      .pick({ maxBytes: true, connections: true, timeout: true, drain: true })
      .prefault({})
      .describe('Bounds of the webhook.'),
    log: injector.log,
    shutdown: injector.shutdown,
  })
    .partial()
    .describe(
      "Settings of the injector's file (`sallyport injector --reference`) that the chart does not make itself.",
    ),
  front: section({ resources: resources(), logLevel: injectionSection.shape.logLevel })
    .partial()
    .describe('The sidecar in front of the policy service.'),
  podDisruptionBudget: section({
    enabled: flag().describe('Whether there is one.'),
    minAvailable: z
      .union([z.int().min(0), z.string().regex(/^[0-9]{1,3}%$/)], { error: 'a number or a percentage' })
      .describe('Replicas that stay.'),
  })
    .partial()
    .describe('How many replicas a node drain may take.'),
  topologySpreadConstraints: list('constraints', anything()).optional().describe('Instead of one over zones.'),
  terminationGracePeriodSeconds: count(1, 3_600).describe('From SIGTERM to SIGKILL; longer than drain and grace.'),
  ...podSettings,
}).partial();

const authorityValues = section({
  enabled: flag().describe('Whether the authority runs here.'),
  config: authoritySchema
    .pick({ lifetimes: true, limits: true, log: true, shutdown: true, id: true })
    .extend({
      kubernetes: authoritySchema.shape.kubernetes
        .unwrap()
        .pick({ audience: true, namespaces: true, bindPod: true, podAddress: true, outage: true })
        .partial()
        .describe('Who may enrol with a service account token.'),
    })
    .partial()
    .describe(
      "Settings of the authority's file (`sallyport ca serve --reference`) that the chart does not make itself.",
    ),
  init: section({
    rootTtl: kubeText('a duration such as 3650d', /^[0-9]+(ms|s|m|h|d)$/).describe('Life of the root.'),
    issuingTtl: kubeText('a duration such as 365d', /^([0-9]+(ms|s|m|h|d))?$/).describe(
      'Life of the CA below it that issues; the default of `ca init` where empty.',
    ),
    keyType: oneOf('p256', 'ed25519').describe('Kind of the keys.'),
  })
    .partial()
    .describe('How the authority is made at its first start. Later changes of these do nothing.'),
  keys: section({
    existingSecret: kubeName('a Secret').describe(
      'Secret with keys; made at the first start and kept in the volume where empty.',
    ),
    rootKey: secretKey('the key of the root: PEM or PKCS#12'),
    issuingKey: secretKey('the key that issues: PEM, PKCS#12, or the pkcs11: URI of a key in a token'),
    passphrase: secretKey('the passphrase of keys'),
  })
    .partial()
    .describe('Keys from outside.'),
  persistence: section({
    enabled: flag().describe('`false`: an emptyDir, and another authority after each restart.'),
    existingClaim: kubeName('a PersistentVolumeClaim').describe('Claim that is there already.'),
    storageClass: kubeName('a StorageClass').describe("The cluster's default where empty; `-` for none."),
    accessMode: oneOf('ReadWriteOnce', 'ReadWriteOncePod').describe('Access mode of the claim.'),
    size: quantity().describe('Size of the claim.'),
    annotations: texts().describe('Annotations of the claim.'),
    retain: flag().describe('Keep the claim, and with it the keys, when the chart is uninstalled.'),
  })
    .partial()
    .describe('Where the state is kept.'),
  terminationGracePeriodSeconds: count(1, 3_600).describe('From SIGTERM to SIGKILL.'),
  extraEnv: list('variables', anything()).optional().describe('Further environment, for example of a PKCS#11 module.'),
  extraVolumes: list('volumes', anything()).optional().describe('Further volumes, for example with a PKCS#11 module.'),
  extraVolumeMounts: list('mounts', anything()).optional().describe('Their mounts, in both containers.'),
  ...podSettings,
}).partial();

const certificates = section({
  source: oneOf('self', 'cert-manager', 'secret').describe(
    '`self`: made and rotated by the injector. `cert-manager`: by cert-manager. `secret`: a Secret of yours.',
  ),
  self: selfMade.pick({ lives: true }).partial().describe('Settings of `self`.'),
  certManager: section({
    issuerRef: anything().describe('Issuer of the certificate; a self-signed one is made where empty.'),
    duration: kubeText('a duration of Go such as 2160h', /^([0-9]+(h|m|s))+$/).describe('Life.'),
    renewBefore: kubeText('a duration of Go such as 720h', /^([0-9]+(h|m|s))+$/).describe(
      'How long before its end it is renewed.',
    ),
  })
    .partial()
    .describe('Settings of `cert-manager`.'),
  secret: section({
    name: kubeName('a Secret').describe('Secret of type kubernetes.io/tls.'),
    caBundle: kubeText('PEM in Base64', /^[A-Za-z0-9+/=\s]*$/).describe('Roots of that certificate, PEM in Base64.'),
  })
    .partial()
    .describe('Settings of `secret`.'),
}).partial();

const policies = section({
  source: injectionSection.shape.policy.unwrap().shape.source,
  bundle: injectedBundle.unwrap().partial().describe('Settings of `bundle`.'),
  platform: section({
    files: mapOf('NAME.rego, NAME.json or NAME.yaml', PLATFORM_FILE, z.string()).describe(
      "The platform's own Rego and data, which no namespace can weaken: `package sallyport.platform`, `deny contains reason if …`.",
    ),
    default: z.string().describe('Rego of namespaces that have no ConfigMap of their own (`default.rego`).'),
  })
    .partial()
    .describe("The platform's rules."),
  library: policyService.shape.library,
  configMap: policyService.shape.configMap,
  candidateConfigMap: policyService.shape.candidateConfigMap,
  serviceAccounts: policyService.shape.serviceAccounts,
}).partial();

const sidecar = injectionSection
  .omit({ trustDomain: true, policy: true })
  .extend({
    identity: section({
      source: injectedIdentity.source,
      authority: injectedIdentity.authority.unwrap().partial().describe('That of the chart, where it runs one.'),
      workloadApi: injectedIdentity.workloadApi,
    })
      .partial()
      .describe('Where sidecars get their identity from.'),
  })
  .partial();

const monitor = (what: string) =>
  section({
    enabled: flag().describe(`Whether there is one; needs the CRDs of the Prometheus operator.`),
    interval: kubeText('a duration of Prometheus such as 30s', /^([0-9]+(ms|s|m|h))+$/).describe(
      'How often it is scraped.',
    ),
    labels: texts().describe('Labels by which Prometheus finds it.'),
  })
    .partial()
    .describe(what);

/** The chart's values. Nothing is required: what is absent stands in `values.yaml`. */
export const valuesSchema = section({
  global: anything().describe('Of a chart that has this one as its part; not used.'),
  fullnameOverride: kubeName('objects').describe('Beginning of all names; of the release where empty.'),
  commonLabels: texts().describe('Labels of every object.'),
  image: image.partial().describe('One image for injector, authority and sidecars.'),
  imagePullSecrets: list('references', section({ name: kubeName('a Secret') })).describe(
    "Secrets with registry credentials, for the chart's own pods.",
  ),
  trustDomain: injectionSection.shape.trustDomain,
  trust: section({
    roots: text('certificates in PEM', (value) => (PEM.test(value) ? value : undefined), PEM).describe(
      'Roots, where the authority runs elsewhere (`authority.enabled: false`).',
    ),
  })
    .partial()
    .describe('What sidecars believe at first.'),
  priorityClass: section({
    name: kubeName('a PriorityClass').describe('Priority class of injector and authority; none where empty.'),
    create: flag().describe('Whether the chart makes it.'),
    value: count(0, 1_000_000_000).describe('Its value.'),
  })
    .partial()
    .describe('Priority of injector and authority.'),
  injector: injectorValues.describe('The injector.'),
  authority: authorityValues.describe('The authority.'),
  webhook: section({
    timeoutSeconds: count(1, 30).describe('How long the API server waits for an answer.'),
    excludeNamespaces: list('namespaces', kubeName('a namespace')).describe(
      'Namespaces that are never injected, whatever their labels; the own one never is.',
    ),
    annotations: texts().describe('Annotations of the configuration.'),
  })
    .partial()
    .describe('What the API server is told.'),
  certificates: certificates.describe('The serving certificate of the webhook.'),
  admissionPolicy: section({
    enabled: flag().describe('Whether the API server itself refuses pods without a sidecar in labelled namespaces.'),
    imageRepositories: list(
      'images without tag',
      kubeText('an image without tag', /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,400}$/),
    ).describe('Further repositories that sidecars may come from, while one is left for another.'),
  })
    .partial()
    .describe('A ValidatingAdmissionPolicy that catches what happens after the injection.'),
  policies: policies.describe('Policies.'),
  sidecar: sidecar.describe('What is injected: `sidecar` of the injector’s file, less trust domain and policy.'),
  networkPolicy: section({
    controlPlane: flag().describe('Whether injector and authority accept connections on their own ports only.'),
    namespaces: list('namespaces', kubeName('a namespace')).describe(
      "Namespaces whose injected pods accept connections on the sidecar's ports only; needed with `sidecar.capture: plain`.",
    ),
    inboundPorts: count(1, 100).describe('How many ports for peers a pod may have there.'),
  })
    .partial()
    .describe('NetworkPolicies.'),
  monitoring: section({
    serviceMonitor: monitor('Metrics of injector and authority.'),
    podMonitor: monitor('Metrics of sidecars, in all namespaces.'),
  })
    .partial()
    .describe('Monitoring by the Prometheus operator.'),
  tests: section({ enabled: flag().describe('Whether `helm test` has something to run.') })
    .partial()
    .describe('`helm test`.'),
}).partial();

function secretKey(what: string) {
  return kubeText('a key of the Secret', /^[A-Za-z0-9._-]{0,253}$/).describe(`Key in that Secret with ${what}.`);
}
