import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ConnectionOptions } from 'node:tls';

import { manifestJson, writeBundle } from '../../src/core/bundle/write-bundle.ts';
import { createAuthority, type Authority, type Issued } from './pki.ts';
import { compileRego, type RegoSource } from './rego.ts';
import { startSidecar, type RawConfig, type SidecarProcess } from './sidecar-process.ts';
import { replaceFile, tempFolder, writeFiles } from './temp-folder.ts';

/** A policy for a system test: Rego as one text, and the rule that is asked (default `test/authz/decision`). */
export type SystemPolicy = {
  readonly rego: string;
  /** A second module, of `package system.log`. */
  readonly logRego?: string;
  readonly data?: unknown;
  readonly decision?: string;
  readonly revision?: string;
  readonly regoVersion?: 0 | 1;
};

export type SystemOptions = {
  /** URL of the agent, such as `http://127.0.0.1:1234`. */
  readonly upstream: string;
  readonly policy: string | SystemPolicy;
  readonly mode?: 'enforce' | 'shadow';
  readonly limits?: RawConfig;
  /** Further keys of the one listener. */
  readonly inbound?: RawConfig;
  /** Further keys of `policy`. */
  readonly policyKeys?: RawConfig;
  /** Further keys of `identity`; files they name belong in `files`. */
  readonly identity?: RawConfig;
  /** Top-level keys, over all others. */
  readonly config?: RawConfig;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly authority?: Authority;
  /** SPIFFE ID of the sidecar; default `OWN_ID`. */
  readonly ownId?: string;
  /** `pipe`: standard output can be read, and nobody does until then. */
  readonly stdout?: 'ignore' | 'pipe';
};

/** A sidecar that runs, the PKI it trusts, and the way to change both. */
export type System = {
  readonly sidecar: SidecarProcess;
  readonly authority: Authority;
  readonly folder: string;
  /** The ordinary peer: `spiffe://example.org/caller`. */
  readonly caller: Issued;
  /** The sidecar's own certificate as it started. */
  readonly own: Issued;
  /** TLS options of a client with that certificate; the ordinary peer's where none is given. */
  readonly tls: (issued?: Issued, alpn?: string) => ConnectionOptions;
  /** Puts another policy in place; whole, by rename. */
  readonly setPolicy: (policy: string | SystemPolicy) => Promise<void>;
  /** Replaces a file of the folder by rename. */
  readonly replace: (name: string, content: string | Uint8Array) => Promise<void>;
};

/** Allows everything. */
export const ALLOW_ALL = 'package test.authz\n\ndecision := true\n';

export const CALLER_ID = 'spiffe://example.org/caller';
export const OWN_ID = 'spiffe://example.org/agent';
const DECISION = 'test/authz/decision';

/** Bundle of a policy, made by the project's own compiler (kept between test runs by `compileRego`). */
export async function policyBundle(policy: string | SystemPolicy): Promise<Uint8Array> {
  const {
    rego,
    data,
    decision = DECISION,
    revision,
    regoVersion,
    logRego,
  } = typeof policy === 'string' ? { rego: policy } : policy;
  const source: RegoSource = {
    files: {
      'policy.rego': rego,
      ...(logRego !== undefined && { 'log.rego': logRego }),
      ...(data !== undefined && { 'data.json': JSON.stringify(data) }),
    },
    entrypoints: [decision],
    optionalEntrypoints: ['system/log/mask', 'system/log/drop'],
    ...(regoVersion !== undefined && { regoVersion }),
  };
  const compiled = await compileRego(source);
  return writeBundle({
    manifestJson: manifestJson(revision, [decision]),
    policyWasm: compiled.policyWasm,
    planJson: JSON.stringify(compiled.plan),
    dataJson: JSON.stringify(compiled.data),
  });
}

/** Starts a sidecar before `upstream` in a folder of its own, and waits until it listens. */
export async function startSystem(context: TestContext, options: SystemOptions): Promise<System> {
  const folder = await tempFolder(context);
  const authority = options.authority ?? createAuthority();
  const own = authority.issue({ id: options.ownId ?? OWN_ID });
  const caller = authority.issue({ id: CALLER_ID });
  await writeFiles(folder, {
    'own.pem': own.chainPem,
    'trust.pem': authority.bundlePem,
    'policy.tar.gz': await policyBundle(options.policy),
    ...options.files,
  });
  // Secrets are for their owner: a file with a token is refused where everybody can read it.
  for (const name of Object.keys(options.files ?? {})) await chmod(join(folder, name), 0o600);
  await replaceFile(join(folder, 'own.key'), own.keyPem);
  const sidecar = await startSidecar(context, folder, systemConfig(options), options.stdout);
  const replace: System['replace'] = (name, content) => replaceFile(join(folder, name), content);
  return {
    sidecar,
    authority,
    folder,
    caller,
    own,
    tls: (issued = caller, alpn = 'http/1.1') => clientTls(authority, issued, alpn),
    setPolicy: async (policy) => replace('policy.tar.gz', await policyBundle(policy)),
    replace,
  };
}

/** The configuration as a user would write it for the files that `startSystem` makes. */
export function systemConfig(options: Omit<SystemOptions, 'authority' | 'files'>): RawConfig {
  const { upstream, policy, mode, limits = {}, inbound, policyKeys, identity, config } = options;
  const decision = typeof policy === 'string' ? DECISION : (policy.decision ?? DECISION);
  return {
    identity: {
      certificate: 'own.pem',
      privateKey: 'own.key',
      trustBundles: { 'example.org': 'trust.pem' },
      ...identity,
    },
    inbound: [{ listen: '127.0.0.1:0', upstream, limits, ...inbound }],
    policy: { bundle: 'policy.tar.gz', decision, ...(mode !== undefined && { mode }), ...policyKeys },
    ...config,
  };
}

/** What a client needs to speak to a sidecar: its own certificate, and nobody's word but the authority's for ours. */
export function clientTls(
  authority: Pick<Authority, 'bundlePem'>,
  issued: Issued | undefined,
  alpn: string,
): ConnectionOptions {
  return {
    ...(issued !== undefined && { cert: issued.chainPem, key: issued.keyPem }),
    ca: authority.bundlePem,
    // A sidecar has a SPIFFE ID and no host name.
    checkServerIdentity: () => undefined,
    ALPNProtocols: [alpn],
  };
}
