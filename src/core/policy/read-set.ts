/**
 * What is read of one place in a JSON document. A tree of these describes the parts of `input` that a policy can tell apart:
 * two inputs that agree on everything read give the same decision.
 */
export class ReadNode {
  /** The value itself: its kind and, for a scalar, what it is. */
  value = false;
  /** The set of keys, or the length. */
  keys = false;
  /** Everything below, so nothing may be left out. */
  whole = false;
  /** Reads below a constant key; array indices as decimal text. Being here means that at least presence is read. */
  readonly children = new Map<string, ReadNode>();
  /** Reads below keys that are only known at run time. */
  every: ReadNode | undefined;

  /** The place below `key`, marked as read for presence. */
  child(key: string): ReadNode {
    let node = this.children.get(key);
    if (node === undefined) {
      node = new ReadNode();
      this.children.set(key, node);
    }
    return node;
  }

  /** The place below any key. */
  anyChild(): ReadNode {
    this.every ??= new ReadNode();
    return this.every;
  }
}

/** The node with everything that both read. */
function merged(a: ReadNode, b: ReadNode): ReadNode {
  const node = new ReadNode();
  node.value = a.value || b.value;
  node.keys = a.keys || b.keys;
  node.whole = a.whole || b.whole;
  for (const [key, child] of a.children) node.children.set(key, child);
  for (const [key, child] of b.children) {
    const other = node.children.get(key);
    node.children.set(key, other === undefined ? child : merged(other, child));
  }
  if (a.every !== undefined || b.every !== undefined) {
    node.every = a.every === undefined ? b.every : b.every === undefined ? a.every : merged(a.every, b.every);
  }
  return node;
}

/** What is read at `key` below `node`, by constant and by unknown keys together; undefined: not even presence. */
export function readsAt(node: ReadNode, key: string): ReadNode | undefined {
  const constant = node.children.get(key);
  if (node.every === undefined) return constant;
  return constant === undefined ? node.every : merged(constant, node.every);
}

/** True where anything at or below `path` may influence the decision. */
export function mayRead(root: ReadNode, path: readonly string[]): boolean {
  let node: ReadNode | undefined = root;
  for (const key of path) {
    if (node.whole || node.keys) return true;
    node = readsAt(node, key);
    if (node === undefined) return false;
  }
  return true;
}

/** The read set as lines (`attributes.request.http.method =`), for people: `=` value, `#` keys or length, `!` everything below, `?` presence. */
export function describeReads(root: ReadNode, prefix = 'input'): readonly string[] {
  const marks = `${root.whole ? '!' : ''}${root.keys ? '#' : ''}${root.value ? '=' : ''}`;
  const own = prefix === 'input' && marks === '' ? [] : [`${prefix} ${marks === '' ? '?' : marks}`];
  if (root.whole) return own;
  const below = [...root.children].flatMap(([key, child]) => describeReads(child, `${prefix}.${key}`));
  const every = root.every === undefined ? [] : describeReads(root.every, `${prefix}[*]`);
  return [...own, ...below, ...every];
}
