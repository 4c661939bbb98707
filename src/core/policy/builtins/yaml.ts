import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { jsonTerm } from './json-term.ts';
import { weigh } from './term-weight.ts';
import { readYaml } from './yaml-read.ts';
import { writeYaml } from './yaml-write.ts';

/** Steps for each character and each level that its line is indented by. */
const CHARACTER_STEPS = 400;

function marshal([value]: readonly Term[], context: BuiltinContext): Term {
  if (value === undefined) throw new BuiltinError('there is no operand');
  const json = jsonTerm(value);
  const { size, depth } = weigh(json);
  context.charge(size * (depth + 1) * CHARACTER_STEPS);
  return str(writeYaml(json));
}

/** False for what is no string. A text that costs too much is not judged: the evaluation ends. */
function isValid(args: readonly Term[], context: BuiltinContext): Term {
  try {
    readYaml(stringArg(args, 0), context);
    return bool(true);
  } catch (problem) {
    if (problem instanceof BuiltinError) return bool(false);
    throw problem;
  }
}

/** YAML, as go-yaml 3 reads and writes it for OPA. */
export const YAML_BUILTINS: Readonly<Record<string, Builtin>> = {
  'yaml.marshal': { arity: 1, call: marshal },
  'yaml.unmarshal': { arity: 1, call: (args, context) => readYaml(stringArg(args, 0), context) },
  'yaml.is_valid': { arity: 1, call: isValid },
};
