import { followCandidate, followPolicy } from '../../app/active-policy.ts';
import { checkIdentity } from '../../app/identity-check.ts';
import { destinationProblems, unprovableDestinations } from '../../app/outbound.ts';
import { createRandom, systemClock } from '../../app/system.ts';
import { configJsonSchema } from '../../core/config/json-schema.ts';
import { configReference } from '../../core/config/reference.ts';
import { originName, readConfig } from '../../io/sources/config-file.ts';

import { printConfigFault } from '../config-fault.ts';
import { configOrigin } from '../config-origin.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { Config } from '../../core/config/config.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CheckOptions } from '../program.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport check`: the exit code is the one that `run` would end with at its start. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.schema === true) terminal.out(JSON.stringify(configJsonSchema(), null, 2));
  if (options.reference === true) terminal.out(configReference().trimEnd());
  if (options.schema === true || options.reference === true) return EXIT.done;
  const origin = configOrigin('check', options, terminal, ' (or --schema, or --reference)');
  if (origin === undefined) return EXIT.wrongUse;
  const config = await readConfig(origin, terminal.env);
  if (!config.ok) {
    if (options.json === true) terminal.out(JSON.stringify({ ok: false, ...config.error }));
    else printConfigFault(originName(origin), config.error, terminal);
    return config.error.kind === 'mistakes' ? EXIT.wrongUse : EXIT.outside;
  }
  const findings = options.configOnly === true ? NOTHING : await follow(config.value);
  if (options.json === true) terminal.out(JSON.stringify({ ok: findings.problems.length === 0, ...findings }));
  else print(originName(origin), findings, terminal);
  return findings.problems.length === 0 ? EXIT.done : EXIT.wrongUse;
}

type Findings = {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly identity?: { readonly id: string; readonly notAfter: string };
  /** Where the identity comes from when it is not at hand. */
  readonly identityFrom?: string;
  /** The identity of the bundle server that wants to see ours; it was not asked. */
  readonly policyFrom?: string;
  readonly policy?: { readonly bundles: unknown; readonly decision: string; readonly entrypoints: readonly string[] };
};

const NOTHING: Findings = { problems: [], warnings: [] };

function ignore(): void {}

/** Reads what the configuration names, as the sidecar does at its start. */
async function follow(config: Config): Promise<Findings> {
  const world = { clock: systemClock, random: createRandom() };
  const hooks = { ...world, onChange: ignore, onProblem: ignore };
  const policy = followPolicy(withoutTraces(config.policy), hooks);
  const candidate = followCandidate(config.policy, hooks);
  try {
    const { peer } = config.policy.bundleServer;
    const isAsked = peer === undefined;
    const [identity] = await Promise.all([
      checkIdentity(config.identity),
      isAsked ? policy.start() : undefined,
      isAsked ? candidate?.start() : undefined,
    ]);
    const { own, from, warnings } = identity;
    const active = policy.current?.policy;
    return {
      problems: [...destinationProblems(config.outbound), ...identity.problems, ...(policy.problem ?? [])],
      warnings: [
        ...warnings,
        ...unprovableDestinations(config.outbound, config.identity),
        // What is on trial keeps nothing from starting.
        ...(candidate?.problem ?? []).map((problem) => `policy.candidate: ${problem}`),
      ],
      ...(own && { identity: own }),
      ...(from !== undefined && { identityFrom: from }),
      ...(peer !== undefined && { policyFrom: peer }),
      ...(active && {
        policy: { bundles: active.bundles, decision: active.entrypoint, entrypoints: active.entrypoints },
      }),
    };
  } finally {
    policy.stop();
    candidate?.stop();
  }
}

/** Checking keeps nothing: the folder of the last good bundle belongs to the process that runs. */
function withoutTraces(policy: Config['policy']): Config['policy'] {
  return { ...policy, bundleServer: { ...policy.bundleServer, persist: undefined } };
}

function print(file: string, findings: Findings, terminal: Terminal): void {
  const { problems, warnings, identity, identityFrom, policyFrom, policy } = findings;
  for (const warning of warnings) terminal.err(terminal.style('err', 'yellow', `warning: ${inert(warning)}`));
  for (const problem of problems) terminal.err(terminal.style('err', 'red', problem.split('\n').map(inert).join('\n')));
  if (identity !== undefined) terminal.out(`identity ${identity.id}, valid until ${identity.notAfter}`);
  if (identityFrom !== undefined) terminal.out(`identity from ${inert(identityFrom)}, which was not asked`);
  if (policyFrom !== undefined) terminal.out(`policy from ${inert(policyFrom)}, which was not asked`);
  if (policy !== undefined)
    terminal.out(`policy ${inert(JSON.stringify(policy.bundles))}, decision ${policy.decision}`);
  const verdict = problems.length === 0 ? terminal.style('out', 'green', 'good') : `${problems.length} not good`;
  terminal.out(`${inert(file)}: ${verdict}`);
}
