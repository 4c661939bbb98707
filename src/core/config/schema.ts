import * as z from 'zod';

import { DEFAULT_DECISION } from '../model/policy.ts';
import { parseListen, parseUpstream } from './addresses.ts';
import { count, duration, flag, list, mapOf, oneOf, path, section, size, text } from './fields.ts';
import { logSection } from './log-section.ts';
import { identitySection } from './identity-section.ts';
import { limitsSection } from './limits-section.ts';
import { contextExtensionsSection, pathsSection } from './listener-section.ts';
import { bundleServerSection, journalSection, statusSection, verificationSection } from './management-section.ts';
import { outboundSection } from './outbound-section.ts';
import { probesSection } from './probes-section.ts';
import { parseBundleLocation } from './targets.ts';

/** A rule's place below `data`, as OPA names entrypoints. */
const ENTRYPOINT = /^[A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*)*$/;

const listen = () =>
  text(
    'an IP address and a port, such as 0.0.0.0:8443 or "[::]:8443"',
    parseListen,
    /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+$/,
  );

const matching = (expected: string, pattern: RegExp) =>
  text(expected, (value) => (pattern.test(value) ? value : undefined), pattern);

const inbound = section({
  listen: listen().describe('Address for peers: mTLS, HTTP/1.1 and HTTP/2 by ALPN. Port 0 asks for any free port.'),
  upstream: text(
    'http://HOST:PORT, h2c://HOST:PORT, auto://HOST:PORT, tcp://HOST:PORT or http+unix:///PATH',
    parseUpstream,
    /^((http|h2c|auto|tcp):\/\/[^/?#@]+:[0-9]+|http\+unix:\/\/\/.+)$/,
  ).describe(
    'Where allowed requests go: `http://` HTTP/1.1, `h2c://` HTTP/2, `auto://` gRPC over h2c and the rest over HTTP/1.1, `http+unix:///run/agent.sock`, `tcp://` bytes after a decision on the connection.',
  ),
  unsafeUpstreamBeyondLoopback: flag()
    .prefault(false)
    .describe('Allow an upstream on another machine: whoever reaches it there passes this sidecar by.'),
  paths: pathsSection,
  tls: section({
    minVersion: z
      .union([z.enum(['1.3', '1.2']), z.literal(1.3), z.literal(1.2)], { error: '"1.3" or "1.2"' })
      .transform((version) => (Number(version) === 1.2 ? ('1.2' as const) : ('1.3' as const)))
      .prefault('1.3')
      .describe('Oldest TLS version that is accepted.'),
    resumption: flag()
      .prefault(false)
      .describe('Let peers resume TLS sessions. Every check is still made on every connection.'),
  })
    .prefault({})
    .describe('TLS of this listener.'),
  limits: limitsSection.prefault({}).describe('Bounds on what peers can influence.'),
  contextExtensions: contextExtensionsSection,
});

const BUNDLE =
  'the path of a folder or a .tar.gz file, an http(s):// URL, or oci://REGISTRY/REPOSITORY:TAG (or @sha256:DIGEST)';

const policy = section({
  bundle: text(BUNDLE, parseBundleLocation).describe(
    'Folder with Rego and data or with `policy.wasm`, or a bundle in a `.tar.gz` file. Followed when it changes. A URL: asked again and again as `bundleServer` says, an OPA bundle server by `https://…`, a registry by `oci://REGISTRY[:PORT]/REPOSITORY:TAG` or `…@sha256:DIGEST` for a bundle as `oras push` and `policy push` store it.',
  ),
  bundleServer: bundleServerSection
    .prefault({})
    .describe('How the bundle server is asked; only with a `bundle` that is a URL.'),
  verification: verificationSection
    .optional()
    .describe(
      'Keys of signed bundles. With it a bundle without a valid signature is refused, and without it a signed one.',
    ),
  decision: matching('an entrypoint such as sallyport/authz/decision', ENTRYPOINT)
    .prefault(DEFAULT_DECISION)
    .describe('The rule that is asked. `envoy/authz/allow` runs an OPA-Envoy policy unchanged.'),
  candidate: section({
    bundle: text(BUNDLE, parseBundleLocation).describe(
      'As `policy.bundle`, asked and verified as that is. What is not there (no such folder or file, an empty folder, 404) is no candidate and no problem.',
    ),
    decision: matching('an entrypoint such as sallyport/authz/decision', ENTRYPOINT)
      .optional()
      .describe('The rule that is asked; without it `policy.decision`.'),
  })
    .optional()
    .describe(
      'A policy on trial: asked about everything that the policy in force is asked about, with bounds of its own of the same size. Its answer is recorded and counted, and changes nothing.',
    ),
  mode: oneOf('enforce', 'shadow')
    .prefault('enforce')
    .describe('`shadow`: policy never blocks, and every record says what would have happened.'),
  budget: count(100_000, 2_000_000_000)
    .prefault(200_000_000)
    .describe('Steps that one evaluation may take before it is stopped and denied; the default is about 5 ms.'),
  memory: size(4 * 1_048_576, 1_073_741_824)
    .prefault('16MiB')
    .describe('Memory of one policy instance, data included; it never grows beyond this.'),
  protoDescriptors: path('a file with a protobuf FileDescriptorSet')
    .optional()
    .describe('Descriptor set (`protoc --descriptor_set_out --include_imports`) that lets policy read gRPC messages.'),
});

const workersSetting = z.union([count(1, 64), z.literal('auto')], { error: 'a whole number from 1 to 64, or auto' });

const journalQueue = section({
  records: count(16, 1_000_000).prefault(10_000).describe('Records that may wait to be written.'),
  bytes: size(64 * 1_024, 1_073_741_824)
    .prefault('32MiB')
    .describe('Bytes that may wait to be written.'),
  wait: duration(0, 60_000)
    .prefault('1s')
    .describe('How long a request waits for room in a full queue before it is refused with `journal_unavailable`.'),
  whenFull: oneOf('refuse', 'drop')
    .prefault('refuse')
    .describe(
      '`refuse`: requests are refused rather than left unrecorded. `drop`: requests go on, and lost records are counted.',
    ),
});

/** The whole file. Input is what YAML or JSON gave; output is `Config`. */
export const configSchema = section({
  identity: identitySection.describe('Who this agent is and whom it trusts.'),
  inbound: list('listeners', inbound).prefault([]).describe('Listeners for peers that call this agent.'),
  outbound: list('listeners', outboundSection).prefault([]).describe("Listeners for the agent's own calls."),
  policy: policy.describe('What decides.'),
  journal: journalSection,
  journalQueue: journalQueue.prefault({}).describe('The bounded queue before the journal.'),
  status: statusSection
    .optional()
    .describe('Where the state of this sidecar is reported to; nowhere without this key.'),
  labels: mapOf('a name', /^[A-Za-z0-9_./-]{1,128}$/, z.string({ error: 'text' }))
    .prefault({})
    .describe('Fixed labels of every decision record, beside `id` and `version`.'),
  workers: workersSetting
    .prefault(1)
    .describe(
      'Threads that serve; `auto`: as many as there are cores to run on. With more than one, each has all listeners with a port, and the system spreads connections over them: `limits`, decision cache and policy `memory` are then those of each. Never more than `journalQueue` has 8 records and 16 KiB for. Linux only.',
    ),
  admin: section({
    listen: listen().describe('Address of `/healthz`, `/readyz` and `/metrics`: plain HTTP, on loopback.'),
    unsafeBeyondLoopback: flag()
      .prefault(false)
      .describe(
        'Allow an address that other machines can reach: they see metrics and health without proving who they are.',
      ),
  })
    .optional()
    .describe('The admin listener; none without this key.'),
  probes: probesSection.optional().describe('The listener for probes of a kubelet; none without this key.'),
  log: logSection(),
  shutdown: section({
    grace: duration(0, 3_600_000).prefault('30s').describe('After SIGTERM: how long open requests may take to finish.'),
  })
    .prefault({})
    .describe('How the process ends.'),
});
