/** Text without these characters at either end, as Go's `strings.Trim`; one pass, where a regular expression would try every run of them. */
export function trimmed(text: string, cutset: string): string {
  let [from, to] = [0, text.length];
  while (from < to && cutset.includes(text.charAt(from))) from += 1;
  while (to > from && cutset.includes(text.charAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

/** Text without these characters at its end, as Go's `strings.TrimRight`. */
export function trimmedRight(text: string, cutset: string): string {
  let to = text.length;
  while (to > 0 && cutset.includes(text.charAt(to - 1))) to -= 1;
  return text.slice(0, to);
}
