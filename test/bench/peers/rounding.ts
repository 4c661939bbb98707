/** A figure for people: three significant digits, thousands apart; whole numbers from 100 on. `-` for what was not measured. */
export function rounded(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 100) return Number(value.toPrecision(3)).toLocaleString('en-US');
  if (size === 0) return '0';
  return size >= 0.001 ? String(Number(value.toPrecision(size >= 0.1 ? 3 : 2))) : '< 0.001';
}
