import { BuiltinError, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { sortedEntries } from '../term-order.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { goJson } from './go-json.ts';
import type { Layout } from './go-json.ts';
import { jsonTerm } from './json-term.ts';
import { weigh } from './term-weight.ts';

/** Steps for each character of layout that a value may need. */
const LAYOUT_STEPS = 400;

/** `json.marshal_with_options`: pretty where `pretty` says so, or, without it, where `prefix` or `indent` is given. */
function marshalWithOptions(args: readonly Term[], context: BuiltinContext): Term {
  const [value, options] = args;
  if (value === undefined || options?.kind !== 'object') throw wrongType(1, 'object', options);
  const layout = layoutOf(options.entries);
  const json = jsonTerm(value);
  if (layout === undefined) return str(goJson(json));
  const { size, depth } = weigh(json);
  context.charge(size * (layout.prefix.length + layout.indent.length * (depth + 1)) * LAYOUT_STEPS);
  return str(layout.prefix + goJson(json, layout));
}

function layoutOf(entries: readonly (readonly [Term, Term])[]): Layout | undefined {
  let pretty: boolean | undefined;
  const layout = { prefix: '', indent: '\t' };
  for (const [key, value] of sortedEntries(entries)) {
    const name = key.kind === 'string' ? key.value : undefined;
    if (name === 'pretty' && value.kind === 'boolean') pretty = value.value;
    else if ((name === 'prefix' || name === 'indent') && value.kind === 'string') layout[name] = value.value;
    else throw new BuiltinError('operand 2 has a key that is unknown or whose value has the wrong type');
  }
  pretty ??= entries.length > 0;
  return pretty ? layout : undefined;
}

/** JSON text in the layout that a policy asks for. */
export const JSON_MARSHAL_BUILTINS: Readonly<Record<string, Builtin>> = {
  'json.marshal_with_options': { arity: 2, call: marshalWithOptions },
};
