import { parseArgs } from 'node:util';

/** What the harness is asked to do. */
export type Options = {
  /** Ids of workloads; undefined: all. */
  readonly workloads: readonly string[] | undefined;
  /** Ids of targets; undefined: all. */
  readonly targets: readonly string[] | undefined;
  readonly rounds: number;
  /** Length of each measured window. */
  readonly seconds: number;
  /** Folder of the report; undefined: nothing is written. */
  readonly out: string | undefined;
  /** Only say what there is. */
  readonly list: boolean;
};

/** What there is to choose from. */
export type Choices = { readonly workloads: readonly string[]; readonly targets: readonly string[] };

/** Where the report goes when nothing else is said, from the root of the project. */
export const DEFAULT_OUT = 'docs/benchmarks';

export const USAGE = `usage: npm run bench:peers -- [--workloads A,B] [--targets A,B] [--rounds N] [--seconds N] [--quick] [--out FOLDER] [--list]

Runs Sallyport side by side with Envoy, Envoy with OPA, nginx and bare Node, under the same load, in turn.
  --workloads A,B  only these workloads (default: all)
  --targets A,B    only these targets (default: all); ratios need the targets they refer to
  --rounds N       rounds, 1 to 99 (default: 3)
  --seconds N      length of each measured window, 1 to 600 (default: 3)
  --quick          one round of one second, for a look; nothing is written unless --out says where
  --out FOLDER     where peers.md and peers.json go (default: ${DEFAULT_OUT})
  --list           what there is, and nothing else

example: npm run bench:peers -- --workloads h1-get,grpc-unary --targets sallyport,envoy-opa-log,envoy-rbac`;

/** Reads the arguments; a text says what is wrong with them. */
export function readOptions(args: readonly string[], choices: Choices): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        workloads: { type: 'string' },
        targets: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        out: { type: 'string' },
        list: { type: 'boolean', default: false },
      },
    });
    const { quick, list } = values;
    return {
      workloads: chosen('--workloads', values.workloads, choices.workloads),
      targets: chosen('--targets', values.targets, choices.targets),
      rounds: whole('--rounds', values.rounds, quick ? 1 : 3, 99),
      seconds: whole('--seconds', values.seconds, quick ? 1 : 3, 600),
      out: values.out ?? (quick ? undefined : DEFAULT_OUT),
      list,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function chosen(option: string, text: string | undefined, known: readonly string[]): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const ids = text.split(',').filter((id) => id !== '');
  const unknown = ids.filter((id) => !known.includes(id));
  if (unknown.length > 0) throw new Error(`${option}: ${unknown.join(', ')} is unknown; there are ${known.join(', ')}`);
  if (ids.length === 0) throw new Error(`${option} names nothing; there are ${known.join(', ')}`);
  return ids;
}

function whole(option: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    throw new Error(`${option} is ${JSON.stringify(text)}; it takes a whole number from 1 to ${most}`);
  }
  return value;
}
