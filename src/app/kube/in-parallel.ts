/** Does one thing with each of many, at most `limit` at once; the outcomes in the order of `all`. Rejects as soon as one does. */
export async function inParallel<Item, Outcome>(
  all: readonly Item[],
  limit: number,
  act: (item: Item) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes = Array.from<Outcome>({ length: all.length });
  const queue = all.entries();
  const work = async (): Promise<void> => {
    // oxlint-disable-next-line eslint/no-await-in-loop -- one at a time, by as many as may be at once
    for (const [index, item] of queue) outcomes[index] = await act(item);
  };
  await Promise.all(Array.from({ length: limit }, work));
  return outcomes;
}
