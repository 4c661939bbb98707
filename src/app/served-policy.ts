import type { Config } from '../core/config/config.ts';
import type { ServedBundle, ServerAccess } from '../core/config/targets.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../core/bundle/limits.ts';
import type { Clock, Random } from '../core/kernel/clock.ts';
import { err, ok, type Result } from '../core/kernel/result.ts';
import type { OwnIdentity } from '../io/control/peer-connection.ts';
import type { BundleState } from '../io/sources/bundle-state.ts';
import {
  bundleName,
  createBundleServerSource,
  type BundleServer,
  type BundleServerSource,
} from '../io/sources/bundle-server-source.ts';
import { createLastGoodStore } from '../io/sources/last-good-copy.ts';
import { createArchiveJudge } from '../io/sources/judge-archive.ts';
import type { CompileRego, PolicyRevision } from '../io/sources/policy-revision.ts';
import type { Problems } from '../io/sources/problem.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { readVerification } from '../io/sources/verification-keys.ts';

/** What a policy from a server needs beside its configuration. */
export type ServedPolicyParts<T> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly compile: CompileRego;
  readonly activate: (revision: PolicyRevision) => Promise<Result<T, Problems>>;
  /** What stands for a policy that the server says it does not have; without it that is a problem. */
  readonly absent?: (() => T) | undefined;
  readonly onChange: (value: T) => void;
  readonly onProblem: (problems: Problems | undefined) => void;
  readonly onWarning: (warning: string) => void;
  readonly onState: (state: BundleState) => void;
  /** For a server that has to prove a SPIFFE ID. */
  readonly identity?: OwnIdentity | undefined;
};

const MAX_DESCRIPTORS = 16 * 1_024 * 1_024;

/** The policy of a bundle server or registry: the client of either, the source that follows it and the last good copy, joined. */
export function followServedPolicy<T>(
  config: Config['policy'],
  location: ServedBundle,
  parts: ServedPolicyParts<T>,
): BundleServerSource<T> {
  const { minDelay, maxDelay, longPolling, persist, ...access } = config.bundleServer;
  const pace = { minDelayMs: minDelay, maxDelayMs: maxDelay, longPollingMs: longPolling };
  return createBundleServerSource<T>(namesOf(location), pace, {
    ...parts,
    server: lazyServer(location, access, parts),
    judge: createArchiveJudge(() => readVerification(config.verification)),
    store: persist === undefined ? undefined : createLastGoodStore(persist, location.url),
    descriptors: () => readDescriptors(config.protoDescriptors),
    timer: systemTimer,
  });
}

/** The name in records and status, and where it comes from as that may be shown: a query can hold secrets. */
function namesOf(location: ServedBundle): { readonly name: string; readonly where: string } {
  if (location.kind === 'oci') return { name: location.image.repository.replace(/^.*\//, ''), where: location.url };
  const { origin, pathname } = new URL(location.url);
  return { name: bundleName(location.url), where: `${origin}${pathname}` };
}

/** The HTTP client is loaded when it is first used: `check` of a configuration with a folder does without. */
function lazyServer(
  location: ServedBundle,
  access: ServerAccess,
  { clock, identity }: { readonly clock: Clock; readonly identity?: OwnIdentity | undefined },
): BundleServer {
  let started: Promise<BundleServer> | undefined;
  const start = async (): Promise<BundleServer> => {
    const deps = { readFile: readBounded, timer: systemTimer, wallMs: () => clock.wallMs(), identity };
    const { archiveBytes } = DEFAULT_BUNDLE_LIMITS;
    if (location.kind === 'oci') {
      const { createRegistryBundleServer } = await import('../io/control/registry.ts');
      return createRegistryBundleServer(location.image, access, archiveBytes, deps);
    }
    const { createBundleServer } = await import('../io/control/bundle-server.ts');
    return createBundleServer({ ...access, url: location.url }, archiveBytes, deps);
  };
  return {
    fetch: async (ask) => {
      started ??= start();
      return (await started).fetch(ask);
    },
    stop: async () => {
      if (started !== undefined) await (await started).stop();
    },
  };
}

async function readDescriptors(path: string | undefined): Promise<Result<Uint8Array | undefined, Problems>> {
  if (path === undefined) return ok(undefined);
  const file = await readBounded(path, MAX_DESCRIPTORS);
  return file.ok ? ok(file.value.bytes) : err([file.error]);
}
