import { chartSettings } from '../../app/kube/chart-settings.ts';
import { checkPods } from '../../app/kube/check-pods.ts';
import { readManifests } from '../../app/kube/manifests.ts';
import { loadInjectorConfig } from '../../core/config/injector-config.ts';
import { formatMistake } from '../../core/config/mistake.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { EXIT } from '../exit-codes.ts';
import { printVerdict, verdictJson } from '../kube/print-verdict.ts';
import { readText } from '../kube/read-text.ts';
import { ownVersion } from '../../app/own-version.ts';
import { inert } from '../terminal.ts';

import type { CheckWith } from '../../app/kube/check-pods.ts';
import type { Manifest } from '../../app/kube/manifests.ts';
import type { Environment } from '../../core/config/expansion.ts';
import type { ConfigMistake } from '../../core/config/mistake.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { InjectionSettings } from '../../core/model/injection.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { KubeCheckOptions } from '../define-kube.ts';
import type { FilePods } from '../kube/print-verdict.ts';
import type { Terminal } from '../terminal.ts';

/** Why there is no answer: each text for people, not yet inert. */
type Fault = { readonly code: ExitCode; readonly problems: readonly string[] };

/** In place of the roots that the injector knows: what is injected is the same for any. */
const ROOTS = '(the roots of the trust domain)\n';

/** `sallyport kube check`: exit 1 where a pod would be refused. */
export async function kubeCheck(options: KubeCheckOptions, terminal: Terminal): Promise<ExitCode> {
  const checked = await check(options, terminal.env);
  if (!checked.ok) return fail(checked.error, options.json === true, terminal);
  const verdicts = checked.value.flatMap(({ pods }) => pods);
  if (options.json === true) terminal.out(JSON.stringify({ ok: true, pods: checked.value.flatMap(verdictJson) }));
  else print(checked.value, options.diff === true, terminal);
  return verdicts.some(({ verdict }) => verdict === 'refused') ? EXIT.no : EXIT.done;
}

async function check(options: KubeCheckOptions, env: Environment): Promise<Result<readonly FilePods[], Fault>> {
  const version = ownVersion();
  const settings = await readSettings(options, version, env);
  if (!settings.ok) return settings;
  const wanted: CheckWith = {
    settings: settings.value,
    facts: { version, roots: settings.value.identity.source === 'authority' ? ROOTS : '' },
    namespace: options.namespace ?? 'default',
  };
  const files: FilePods[] = [];
  const faults: Fault[] = [];
  for (const file of options.filename) {
    // oxlint-disable-next-line eslint/no-await-in-loop -- stdin is one of them
    const manifests = await manifestsOf(file);
    if (manifests.ok) files.push({ file, pods: checkPods(manifests.value, wanted) });
    else faults.push(manifests.error);
  }
  const problems = faults.flatMap((fault) => fault.problems);
  return faults[0] === undefined ? ok(files) : err({ code: faults[0].code, problems });
}

async function manifestsOf(file: string): Promise<Result<readonly Manifest[], Fault>> {
  const text = await readText(file);
  if (!text.ok) return err({ code: EXIT.outside, problems: [text.error] });
  const manifests = readManifests(text.value);
  if (manifests.ok) return manifests;
  return err({ code: EXIT.wrongUse, problems: manifests.error.map((problem) => `${file}:${problem}`) });
}

async function readSettings(
  { config, values }: KubeCheckOptions,
  version: string,
  env: Environment,
): Promise<Result<InjectionSettings, Fault>> {
  if (config !== undefined && values !== undefined) {
    return err({ code: EXIT.wrongUse, problems: ['either --config FILE or --values FILE, not both'] });
  }
  if (config !== undefined) {
    const text = await readText(config);
    if (!text.ok) return err({ code: EXIT.outside, problems: [text.error] });
    const loaded = loadInjectorConfig(text.value, env);
    return loaded.ok ? ok(loaded.value.sidecar) : mistaken(loaded.error.map((one) => formatMistake(config, one)));
  }
  if (values === undefined) return judged('the chart', chartSettings({}, version));
  const documents = await manifestsOf(values);
  if (!documents.ok) return documents;
  const [first, second] = documents.value;
  if (second !== undefined) return mistaken([`${values}:${second.line}: one document is expected`]);
  return judged(values, chartSettings(first?.value ?? {}, version));
}

/** Lines of what was made of values are nobody's: places are paths. */
function judged(
  file: string,
  settings: Result<InjectionSettings, readonly ConfigMistake[]>,
): Result<InjectionSettings, Fault> {
  if (settings.ok) return settings;
  return mistaken(
    settings.error.map(({ path, expected, found }) => `${file}: ${path}: expected ${expected}, found ${found}`),
  );
}

function mistaken(problems: readonly string[]): Result<never, Fault> {
  return err({ code: EXIT.wrongUse, problems });
}

function fail({ code, problems }: Fault, json: boolean, terminal: Terminal): ExitCode {
  if (json) terminal.out(JSON.stringify({ ok: false, problems }));
  else
    for (const problem of problems)
      terminal.err(terminal.style('err', 'red', `sallyport kube check: ${inert(problem)}`));
  return code;
}

function print(files: readonly FilePods[], diff: boolean, terminal: Terminal): void {
  for (const { file, pods } of files) for (const pod of pods) printVerdict(file, pod, diff, terminal);
  const verdicts = files.flatMap(({ pods }) => pods).map(({ verdict }) => verdict);
  const count = (wanted: string): number => verdicts.filter((verdict) => verdict === wanted).length;
  if (verdicts.length === 0) terminal.out('no pods in these manifests');
  else terminal.out(`${count('injected')} injected, ${count('skipped')} skipped, ${count('refused')} refused`);
}
