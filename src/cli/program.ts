import { Command, CommanderError } from 'commander';

import { defineCa } from './define-ca.ts';
import { defineInjector } from './define-injector.ts';
import { defineKube } from './define-kube.ts';
import { defineLog } from './define-log.ts';
import { definePolicyBundle } from './define-policy-bundle.ts';
import { definePolicy } from './define-policy.ts';
import { command } from './define.ts';
import { EXIT } from './exit-codes.ts';
import { inert } from './terminal.ts';

import type { ConfigOptions } from './config-origin.ts';
import type { Definer, Json } from './define.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

export type CheckOptions = Json &
  ConfigOptions & {
    readonly configOnly?: true;
    readonly schema?: true;
    readonly reference?: true;
  };

const CONFIG_ENV = ['--config-env <name>', 'environment variable with the configuration itself'] as const;

/** Runs one command line (without `node` and script); resolves with the exit code and never rejects. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const act: Definer['act'] =
    (handler) =>
    async (...values) => {
      code = await handler(...values);
    };
  try {
    const asked = args[0] === '--version' ? ['version', ...args.slice(1)] : [...args];
    await createProgram({ terminal, act }).parseAsync(asked, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse;
    const message = error instanceof Error ? error.message : String(error);
    terminal.err(terminal.style('err', 'red', `sallyport: ${message.split('\n').map(inert).join('\n')}`));
    return EXIT.outside;
  }
}

/** The table of commands. A handler's module is imported when its command runs. */
function createProgram(definer: Definer): Command {
  const { terminal, act } = definer;
  const program = createRoot(terminal);
  const example = 'sallyport run --config sallyport.yaml';
  command(program, 'run', 'Run the sidecar until SIGTERM; SIGHUP reads certificates, lists and policy again.', example)
    .option('-c, --config <file>', 'configuration, YAML or JSON')
    .option(...CONFIG_ENV)
    .action(act(async (options: ConfigOptions) => (await import('./commands/run.ts')).run(options, terminal)));
  command(
    program,
    'demo',
    'Real agents behind real sidecars, called by three identities (in a clone).',
    'sallyport demo --once',
  )
    .option('--once', 'end after the table; exit 0 only if every verdict was the expected one')
    .action(act(async ({ once }: { once?: true }) => (await import('./commands/demo.ts')).demo(once === true)));
  defineCheck(program, definer);
  defineCa(program, definer);
  defineInjector(program, definer);
  defineKube(program, definer);
  defineLog(program, definer);
  definePolicyBundle(definePolicy(program, definer), definer);
  command(program, 'version', 'Print the versions of Sallyport and of its Node.', 'sallyport version --json')
    .option('--json', 'print as JSON')
    .action(act(async ({ json }: Json) => (await import('./commands/version.ts')).version(json === true, terminal)));
  return program;
}

function createRoot(terminal: Terminal): Command {
  return new Command('sallyport')
    .description('Zero-trust policy enforcement sidecar: mTLS identity, Rego policy, every decision written down.')
    .addHelpText('after', '\nExample:\n  sallyport run --config sallyport.yaml')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      outputError: (text, write) => write(terminal.style('err', 'red', text.trimEnd())),
    });
}

function defineCheck(program: Command, { act, terminal }: Definer): void {
  const example = 'sallyport check --config sallyport.yaml';
  command(program, 'check', 'Check a configuration and everything that it names, as `run` would.', example)
    .option('-c, --config <file>', 'configuration, YAML or JSON')
    .option(...CONFIG_ENV)
    .option('--config-only', 'check the file alone, not what it names')
    .option('--schema', 'print the JSON Schema of the configuration instead')
    .option('--reference', 'print the reference of all keys, as Markdown, instead')
    .option('--json', 'print as JSON')
    .action(act(async (options: CheckOptions) => (await import('./commands/check.ts')).check(options, terminal)));
}
