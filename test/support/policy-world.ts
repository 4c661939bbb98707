import type { TestContext } from 'node:test';

import { createPolicyService, type PolicyService } from '../../src/io/policy-service/policy-service.ts';
import type {
  BuildFault,
  PolicyFiles,
  PolicyServiceDeps,
  PolicySubject,
  PolicyWorld,
} from '../../src/io/policy-service/settings.ts';
import { err, ok } from '../../src/core/kernel/result.ts';
import type { Clock, Timer } from '../../src/core/kernel/clock.ts';
import { systemTimer } from '../../src/io/sources/timer.ts';

/** A policy service whose compiler is a double: the module is a digest of nothing, and what it was asked is counted. */
export type ServiceWorld = {
  readonly service: PolicyService;
  readonly url: (path: string) => string;
  /** Entrypoint and paths of each compilation, in their order. */
  readonly compilations: readonly string[];
  readonly told: readonly { readonly subject: PolicySubject; readonly problems: readonly string[] | undefined }[];
  /** What the next compilations of Rego with this text in it fail with. */
  readonly faults: Map<string, BuildFault>;
  /** Makes compilations wait until it is called. */
  hold(): () => void;
};

/** What a world is made of in one line: Rego of the platform, and of each namespace. */
export function policyWorld(
  namespaces: Readonly<Record<string, { readonly policy?: string; readonly candidate?: string }>>,
  platform: Readonly<Record<string, string>> = {},
  cluster: Partial<PolicyWorld['cluster']> = {},
): PolicyWorld {
  const entries = Object.entries(namespaces).map(([name, { policy, candidate }]) => {
    return [
      name,
      { ...(policy && { policy: textPolicy(policy) }), ...(candidate && { candidate: textPolicy(candidate) }) },
    ];
  });
  return {
    platform: { files: new Map(Object.entries(platform)) },
    namespaces: new Map(
      entries as [string, PolicyWorld['namespaces'] extends ReadonlyMap<string, infer T> ? T : never][],
    ),
    cluster: { trustDomain: 'example.org', namespaces: new Map(), ...cluster },
  };
}

/** A policy of one file, for a double that reads its declarations from the package statement alone. */
export function textPolicy(text: string): { readonly files: PolicyFiles } {
  return { files: new Map([['authz.rego', `package sallyport.authz\n\ndecision := ${text}\n`]]) };
}

export async function startServiceWorld(
  context: TestContext,
  timer: Timer = systemTimer,
  clock: Pick<Clock, 'wallMs'> = { wallMs: () => 0 },
): Promise<ServiceWorld> {
  const compilations: string[] = [];
  const told: { subject: PolicySubject; problems: readonly string[] | undefined }[] = [];
  const faults = new Map<string, BuildFault>();
  let gate = Promise.resolve();
  const deps: PolicyServiceDeps = {
    compile: async (rego, entrypoint) => {
      compilations.push(entrypoint);
      await gate;
      const text = [...rego.values()].join('\n');
      const fault = [...faults].find(([part]) => text.includes(part))?.[1];
      if (fault !== undefined) return err(fault);
      const plan = { static: { strings: [] }, plans: { plans: [] }, text };
      const policyWasm = new TextEncoder().encode(text);
      return ok({ policyWasm, planJson: JSON.stringify(plan), entrypoints: [entrypoint] });
    },
    inspect: (rego) => Promise.resolve(ok(declared(rego))),
    library: () => Promise.resolve(new Map([['segments.rego', 'package sallyport.segments\n\nof := 1\n']])),
    timer,
    clock,
    log: { info: () => undefined, warn: () => undefined },
    onProblem: (subject, problems) => told.push({ subject, problems }),
  };
  const service = createPolicyService({ listen: { host: '127.0.0.1', port: 0 } }, deps);
  context.after(() => service.stop());
  const { port } = await service.start();
  return {
    service,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    compilations,
    told,
    faults,
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
  };
}

/** Enough of an inspection for files that begin with `package` and have one rule. */
function declared(rego: PolicyFiles): {
  packages: { path: string; files: string[] }[];
  rules: { path: string; file: string; row: number }[];
} {
  const found = [...rego].map(([file, text]) => {
    const [, name = ''] = /^package (\S+)/.exec(text) ?? [];
    const [, rule = ''] = /^(\w+)/m.exec(text.replace(/^package.*\n/, '').trimStart()) ?? [];
    return { file, path: `data.${name}`, rule };
  });
  return {
    packages: found.map(({ file, path }) => ({ path, files: [file] })),
    rules: found.map(({ file, path, rule }) => ({ path: `${path}.${rule}`, file, row: 3 })),
  };
}
