import { stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { MAIN, parseTemplates } from './template-parser.ts';
import { runTemplate } from './template-run.ts';
import { templateValue } from './template-value.ts';

/**
 * `strings.render_template`: Go's text/template (OPA topdown/template.go), with its variables, pipelines, predefined functions and templates of its own. What is
 * not there is `<undefined>`. Imaginary numbers are errors here, and so is what would show an address.
 */
function render(args: readonly Term[], context: BuiltinContext): Term {
  const template = stringArg(args, 0);
  const values = args[1];
  if (values?.kind !== 'object') throw wrongType(1, 'object', values);
  const data = templateValue(values);
  const text = runTemplate(parseTemplates(template, context), MAIN, data, context);
  return str(text.replaceAll('<no value>', '<undefined>'));
}

/** Templates. */
export const TEMPLATE_BUILTINS: Readonly<Record<string, Builtin>> = {
  'strings.render_template': { arity: 2, call: render },
};
