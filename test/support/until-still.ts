/** Waits until `read` gives something above zero that does not change any more over `turns` turns of the event loop. */
export async function untilStill(read: () => number, turns = 200): Promise<number> {
  for (;;) {
    const before = read();
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (before > 0 && read() === before) return before;
  }
}
