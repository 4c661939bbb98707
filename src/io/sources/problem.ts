/** What is wrong with a source, one line each, for the operator: paths and reasons, never what stands in a file. */
export type Problems = readonly string[];

/** The reason of a failed file operation, for example `ENOENT`, without Node's repetition of path and call. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code === undefined ? undefined : REASONS[code]) ?? code ?? error.message;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'not readable by this process',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'too many symbolic links',
};
