/** True where all bytes are zero. A loop: `every` takes ten times as long, and archives may hold megabytes of them. */
export function isZero(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== 0) return false;
  return true;
}
