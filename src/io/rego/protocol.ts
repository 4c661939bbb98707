/** What the compiler inside WebAssembly can be asked; the Go side has the same table (`go/main.go`). */
export type Operation = 'build' | 'check' | 'evaluate' | 'format' | 'inspect' | 'modules' | 'test' | 'version';

/** One request to the worker. Byte arrays anywhere in `arguments` reach Go as `[]byte`. */
export interface WorkerRequest {
  readonly operation: Operation;
  readonly arguments: unknown;
}

/** An error as the Go side reports it; 0 or absent is unknown, `offset` is a byte position in a JSON file. */
export interface RawDiagnostic {
  readonly code: string;
  readonly message: string;
  readonly details?: readonly string[];
  readonly file?: string;
  readonly row?: number;
  readonly col?: number;
  readonly offset?: number;
}

/** The Go side's answer to one request. */
export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly errors: readonly RawDiagnostic[] };

/** What the worker posts for one request; after `died` it holds no instance and is of no further use. */
export type WorkerReply =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly memoryBytes: number }
  | { readonly kind: 'died'; readonly reason: string };

/** What a worker is started with. */
export interface WorkerSettings {
  /** Hard bound of the instance's linear memory in pages of 64 KiB; beyond it the instance ends itself. */
  readonly maxPages: number;
}
