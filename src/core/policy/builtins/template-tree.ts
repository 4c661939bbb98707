import type { GoNumber } from './go-literal.ts';

/** A part of a template (Go text/template/parse, node.go). */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: 'break' | 'continue' }
  | BlockNode;

/** What has a value and perhaps an `else`. */
export type BlockNode = {
  readonly kind: 'if' | 'range' | 'with';
  readonly pipe: Pipe;
  readonly body: readonly TemplateNode[];
  readonly otherwise: readonly TemplateNode[];
};

/** Commands that hand their value on; the last one's goes to the variables. */
export type Pipe = {
  readonly names: readonly string[];
  /** `=`, not `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
};

/** What is called or read, and its arguments. */
export type Command = readonly [Operand, ...Operand[]];

export type Operand =
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  /** Undefined is a number that fits no `int`. */
  | { readonly kind: 'number'; readonly value: GoNumber | undefined }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
  /** Fields of what is no field itself. */
  | { readonly kind: 'chain'; readonly of: Operand; readonly path: readonly string[] };

/** The templates of a text by their names. */
export type Templates = ReadonlyMap<string, readonly TemplateNode[]>;
