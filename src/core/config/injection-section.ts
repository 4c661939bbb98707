import * as z from 'zod';

import { parseOciReference } from '../kernel/oci-reference.ts';
import { OVERRIDES } from '../model/injection.ts';
import { DEFAULT_DECISION } from '../model/policy.ts';
import { parseDestinationAddress } from './addresses.ts';
import { count, duration, flag, list, mapOf, oneOf, section, text } from './fields.ts';
import { logLevel } from './log-section.ts';
import { spiffeId } from './identity-section.ts';
import { TRUST_DOMAIN } from './identity-values.ts';
import { limitsSection } from './limits-section.ts';
import { configSchema } from './schema.ts';
import { parseHttpUrl } from './targets.ts';

import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';

/** A rule's place below `data`, as OPA names entrypoints. */
const ENTRYPOINT = /^[A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*)*$/;
/** As container runtimes take it: registry, path, and a tag or digest. Nothing that could end a line or a JSON string. */
const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/;
/** A Kubernetes quantity (`resource.Quantity`): a decimal number and a suffix. */
const QUANTITY = /^[0-9]+(?:\.[0-9]+)?(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const CIDR =
  /^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}\/(?:[0-9]|[12][0-9]|3[0-2])|[0-9a-f:]+\/(?:[0-9]{1,2}|1[01][0-9]|12[0-8]))$/;
const HOST_KEY = /^(?:\*\.)?[A-Za-z0-9._:[\]-]{1,260}$/;
const CSI_DRIVER = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;
const AUDIENCE = /^[^\s\0]{1,256}$/;
const HOUR = 3_600_000;

/** The sidecar's own file: what is handed on is judged as it will be there. */
const { shape } = configSchema;

const form = (expected: string, pattern: RegExp) =>
  text(expected, (value) => (pattern.test(value) ? value : undefined), pattern);

const httpsUrl = (what: string) =>
  text(
    `the https:// URL of ${what}, without a path`,
    (value) => (/^https:\/\/[^/]+\/?$/.test(value) ? parseHttpUrl(value)?.replace(/\/$/, '') : undefined),
    /^https:\/\/[^/]+\/?$/,
  );

const quantity = () => form('a Kubernetes quantity such as 100m or 128Mi', QUANTITY);
const port = () => count(1, 65_535);

const resources = section({
  requests: section({
    cpu: quantity().prefault('50m').describe('CPU that is set aside.'),
    memory: quantity().prefault('96Mi').describe('Memory that is set aside.'),
  })
    .prefault({})
    .describe('What the scheduler sets aside.'),
  limits: section({
    cpu: quantity().optional().describe('Most CPU; no bound where absent, so that a burst is not slowed down.'),
    memory: quantity().prefault('384Mi').describe('Most memory.'),
  })
    .prefault({})
    .describe('What the sidecar may use at most.'),
});

const destination = section({
  address: text(
    'HOST:PORT',
    (value) => (parseDestinationAddress(value) === undefined ? undefined : value),
    /^.+:[0-9]+$/,
  ).describe("Address of the other side's sidecar."),
  id: z
    .union([spiffeId('the other side'), list('SPIFFE IDs', spiffeId('the other side'), 1)], {
      error: 'the SPIFFE ID that the other side must prove, or a list of them',
    })
    .describe('The identity that the other side must prove; of a list any one.'),
  protocol: oneOf('auto', 'http1', 'http2')
    .optional()
    .describe('How the other side is spoken to; `auto` where absent.'),
});

const identity = section({
  source: oneOf('authority', 'workload-api')
    .prefault('authority')
    .describe('`authority`: enrols with its service account token. `workload-api`: from a SPIFFE CSI driver.'),
  authority: section({
    url: httpsUrl('the authority').describe('The authority as pods reach it.'),
    id: spiffeId('the authority').describe('The identity that the authority must prove.'),
    audience: form('an audience', AUDIENCE)
      .prefault('sallyport')
      .describe('Audience of the projected service account token; that of `kubernetes.audience` of the authority.'),
  })
    .optional()
    .describe('Settings of `source: authority`.'),
  workloadApi: section({
    driver: form('the name of a CSI driver', CSI_DRIVER)
      .prefault('csi.spiffe.io')
      .describe("The CSI driver that mounts the Workload API's socket."),
  })
    .prefault({})
    .describe('Settings of `source: workload-api`.'),
});

const policy = section({
  source: oneOf('namespace', 'bundle')
    .prefault('namespace')
    .describe(
      "`namespace`: the policy service of the injector, which composes the platform's rules and the namespace's. `bundle`: one bundle for all.",
    ),
  namespace: section({
    url: httpsUrl('the policy service').describe('The policy service as pods reach it.'),
    id: spiffeId('the policy service').describe('The identity that the policy service must prove.'),
  })
    .optional()
    .describe('Settings of `source: namespace`.'),
  bundle: section({
    url: text(
      'an https:// URL, or oci://REGISTRY/REPOSITORY:TAG (or @sha256:DIGEST)',
      bundleUrl,
      /^(https|oci):\/\/.+$/,
    ).describe('A bundle server, or an image in an OCI registry.'),
    decision: form('an entrypoint such as sallyport/authz/decision', ENTRYPOINT)
      .prefault(DEFAULT_DECISION)
      .describe('The rule that is asked.'),
  })
    .optional()
    .describe('Settings of `source: bundle`.'),
});

const outbound = section({
  capture: oneOf('none', 'declared', 'all')
    .prefault('declared')
    .describe(
      "Which of the agent's calls are sent to the sidecar with `capture: redirect`: none but those that the agent itself sends there, those to ports of declared destinations, or all TCP.",
    ),
  destinations: mapOf('a host, host:port or *.suffix', HOST_KEY, destination)
    .prefault({})
    .describe('What every agent may call, as it names it; pods add theirs where `overrides` has `destinations`.'),
  excludePorts: list('ports', port()).prefault([]).describe('Ports of other sides that are called past the sidecar.'),
  excludeCidrs: list('networks', form('a network such as 10.0.0.0/8', CIDR))
    .prefault([])
    .describe('Networks that are called past the sidecar.'),
});

/** `sidecar` of the injector's file: `InjectionSettings`, and what the sidecar's own file holds besides. */
export const injectionSection = section({
  trustDomain: text(
    'a trust domain (lower case)',
    (value) => (TRUST_DOMAIN.test(value) ? (value as TrustDomain) : undefined),
    TRUST_DOMAIN,
  ).describe('Trust domain of every identity.'),
  image: form('an image such as registry.example.org/sallyport:0.1.0', IMAGE).describe('Image of the sidecar.'),
  imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never')
    .prefault('IfNotPresent')
    .describe('When nodes fetch the image.'),
  capture: oneOf('redirect', 'plain')
    .prefault('redirect')
    .describe(
      "`redirect`: an init container with NET_ADMIN sends the agent's ports to the sidecar and closes the rest. `plain`: no privilege; Services point at the sidecar and a NetworkPolicy closes the rest.",
    ),
  uid: count(1_000, 2_147_483_647)
    .prefault(61_337)
    .describe('User and group that the sidecar runs as, and no other container may.'),
  ports: section({
    inbound: port().prefault(15_100).describe('First port for peers; one more for each further port of the agent.'),
    outbound: port().prefault(15_001).describe("Port on loopback for the agent's own calls."),
    probe: port().prefault(15_020).describe('Port that the kubelet asks.'),
    admin: port().prefault(15_000).describe('Port of metrics and health.'),
  })
    .prefault({})
    .describe('Ports of the sidecar in the pod.'),
  identity: identity.prefault({}).describe('Where sidecars get their identity from.'),
  policy: policy.prefault({}).describe('Where sidecars get their policy from.'),
  mode: oneOf('enforce', 'shadow')
    .prefault('enforce')
    .describe('`shadow`: policy never blocks, and every record says what would have happened.'),
  outbound: outbound.prefault({}).describe("The agent's own calls."),
  resources: resources.prefault({}).describe('CPU and memory of the sidecar.'),
  logLevel: logLevel().describe('Log level of the sidecar.'),
  drainDelay: duration(0, HOUR)
    .prefault('5s')
    .describe("How long the agent goes on serving after a pod's end was decided, while others still learn of it."),
  metrics: flag()
    .prefault(false)
    .describe(
      'Whether metrics and health of sidecars can be reached from outside of the pod, without proof of identity.',
    ),
  overrides: list('words', oneOf(...OVERRIDES))
    .prefault(['ports', 'protocol', 'destinations', 'resources', 'log-level', 'drain-delay'])
    .describe('What a pod may say for itself by annotations; everything else is refused.'),
  allowPrivileged: flag()
    .prefault(false)
    .describe(
      'Let in pods with containers that could undo the redirection or read the memory of the sidecar (privileged, NET_ADMIN, SYS_ADMIN, SYS_PTRACE).',
    ),
  journal: shape.journal,
  journalQueue: shape.journalQueue,
  status: shape.status,
  labels: shape.labels,
  limits: limitsSection.optional().describe('Bounds on what peers can influence, of every listener.'),
});

/** The keys of the section that are the sidecar's own, handed on as they were written. */
export const PASSED_ON = ['journal', 'journalQueue', 'labels', 'status', 'limits'] as const;

/** An `id` as `InjectedDestination` has it. */
export type DestinationId = SpiffeId | readonly SpiffeId[];

function bundleUrl(value: string): string | undefined {
  if (parseOciReference(value) !== undefined) return value;
  // Over plain HTTP a sidecar takes signed bundles only, and an injected one has no keys to verify them with.
  return value.startsWith('https:') ? parseHttpUrl(value) : undefined;
}
