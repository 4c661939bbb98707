import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { compareStrings } from '../term-order.ts';
import { bool, num } from '../term.ts';
import type { Term } from '../term.ts';

type Version = { readonly numbers: readonly bigint[]; readonly preRelease: readonly string[] };

const NUMBER = '(0|[1-9][0-9]*)';
const IDENTIFIERS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
/** Semantic Versioning 2.0.0, section 9 and 10; a `v` before it is let pass, as OPA does. */
const VERSION = new RegExp(`^v?${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${IDENTIFIERS}))?(?:\\+${IDENTIFIERS})?$`);
const DIGITS = /^[0-9]+$/;
const MOST = 2n ** 63n - 1n;
/** Digits of the largest; what has more is not read as a number, which would take longer the more there are. Neither has zeros before it. */
const MAX_DIGITS = 19;

function parse(text: string): Version | undefined {
  const found = VERSION.exec(text);
  if (found === null) return undefined;
  const numbers = found.slice(1, 4).map(clamp);
  const preRelease = found[4]?.split('.') ?? [];
  const sound = found.slice(1, 4).every(isSmall) && !preRelease.some((part) => /^0[0-9]+$/.test(part));
  return sound ? { numbers, preRelease } : undefined;
}

function versionArg(args: readonly Term[], index: number): Version {
  const version = parse(stringArg(args, index));
  if (version === undefined) throw new BuiltinError(`operand ${index + 1}: not a valid SemVer`);
  return version;
}

/** Section 11: by numbers, then a pre-release is below none, then identifier by identifier. */
function compare(left: Version, right: Version): number {
  for (const [index, number] of left.numbers.entries()) {
    const order = compareIntegers(number, right.numbers[index] ?? 0n);
    if (order !== 0) return order;
  }
  const [a, b] = [left.preRelease, right.preRelease];
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const order = compareIdentifiers(part, other);
    if (order !== 0) return order;
  }
  return a.length < b.length ? -1 : 0;
}

/** Numbers are below texts. Those over 63 bits are alike, as in OPA, where the comparison of two such versions that are otherwise the same does not end. */
function compareIdentifiers(left: string, right: string): number {
  const [a, b] = [DIGITS.test(left), DIGITS.test(right)];
  if (a && b) return compareIntegers(clamp(left), clamp(right));
  return a === b ? Math.sign(compareStrings(left, right)) : a ? -1 : 1;
}

function isSmall(digits: string): boolean {
  return digits.length <= MAX_DIGITS && BigInt(digits) <= MOST;
}

function clamp(digits: string): bigint {
  return isSmall(digits) ? BigInt(digits) : MOST;
}

function compareIntegers(left: bigint, right: bigint): number {
  return left < right ? -1 : Number(left > right);
}

/** Semantic versions. */
export const SEMVER_BUILTINS: Readonly<Record<string, Builtin>> = {
  'semver.compare': { arity: 2, call: (args) => num(compare(versionArg(args, 0), versionArg(args, 1))) },
  'semver.is_valid': {
    arity: 1,
    call: ([version]) => bool(version?.kind === 'string' && parse(version.value) !== undefined),
  },
};
