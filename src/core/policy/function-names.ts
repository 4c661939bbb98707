import { ModuleFault, ModuleReader } from './module-reader.ts';

const FUNCTION_NAMES = 1;

/** Names of functions by index, from the custom section `name` (WebAssembly core specification, appendix "Custom Sections"); none without it. Throws ModuleFault. */
export function functionNames(bytes: Uint8Array): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  const section = nameSection(bytes) ?? new ModuleReader(Uint8Array.of());
  while (!section.done) {
    const id = section.u8();
    const content = section.slice(section.u32());
    if (id !== FUNCTION_NAMES) continue;
    for (let left = content.count(); left > 0; left -= 1) names.set(content.u32(), content.name());
  }
  return names;
}

function nameSection(bytes: Uint8Array): ModuleReader | undefined {
  const reader = new ModuleReader(bytes, Math.min(8, bytes.length));
  while (!reader.done) {
    const id = reader.u8();
    const content = reader.slice(reader.u32());
    if (id === 0 && sectionName(content) === 'name') return content;
  }
  return undefined;
}

function sectionName(content: ModuleReader): string | undefined {
  try {
    return content.name();
  } catch (problem) {
    if (problem instanceof ModuleFault) return undefined;
    throw problem;
  }
}
