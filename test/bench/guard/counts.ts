/** What was counted: kind of figure -> what it was counted of -> how many. Less is better in all of them. */
export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** One of several lists of counts under each kind. The parts count different things. */
export function joined(parts: readonly Counts[]): Counts {
  const all: Record<string, Record<string, number>> = {};
  for (const [kind, counted] of parts.flatMap((part) => Object.entries(part))) {
    all[kind] = { ...all[kind], ...counted };
  }
  return all;
}
