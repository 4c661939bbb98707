const DECIMAL = { m: -1, '': 0, k: 1, M: 2, G: 3, T: 4 } as const;
const BINARY = { Ki: 1, Mi: 2, Gi: 3, Ti: 4 } as const;
const THOUSAND = 1_000n;

/**
 * A Kubernetes quantity as the API server writes it (`resource.Quantity`, "canonical form"): no fraction, the greatest suffix of its kind that leaves none. What it stored is
 * then what we would write again. Text that is no such quantity is given back as it is, for the API server to judge.
 */
export function canonicalQuantity(text: string): string {
  const [, whole, fraction = '', suffix = ''] = /^(\d{1,15})(?:\.(\d{1,3}))?([A-Za-z]{0,2})$/.exec(text) ?? [];
  if (whole === undefined) return text;
  const thousandths = BigInt(whole + fraction.padEnd(3, '0'));
  if (Object.hasOwn(BINARY, suffix)) {
    const milli = thousandths * 1_024n ** BigInt(BINARY[suffix as keyof typeof BINARY]);
    return milli % THOUSAND === 0n && milli >= 1_024n * THOUSAND ? binary(milli / THOUSAND) : decimal(milli);
  }
  if (!Object.hasOwn(DECIMAL, suffix)) return text;
  const power = DECIMAL[suffix as keyof typeof DECIMAL];
  if (power < 0) return fraction === '' ? decimal(BigInt(whole)) : text;
  return decimal(thousandths * THOUSAND ** BigInt(power));
}

function decimal(milli: bigint): string {
  if (milli === 0n) return '0';
  const fits = Object.entries(DECIMAL).filter(([, power]) => milli % THOUSAND ** BigInt(power + 1) === 0n);
  const [suffix, power] = fits.at(-1) ?? ['m', -1];
  return `${milli / THOUSAND ** BigInt(power + 1)}${suffix}`;
}

function binary(amount: bigint): string {
  const fits = Object.entries(BINARY).filter(([, power]) => amount % 1_024n ** BigInt(power) === 0n);
  const [suffix, power] = fits.at(-1) ?? ['', 0];
  return `${amount / 1_024n ** BigInt(power)}${suffix}`;
}
