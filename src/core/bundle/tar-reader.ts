import { ok } from '../kernel/result.ts';
import { refuse } from './fault.ts';
import { memberName, utf8 } from './member-name.ts';
import { globalPaxFault, readPax } from './pax.ts';
import { BLOCK, readHeader } from './tar-header.ts';
import { isZero } from './zero.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { BundleLimits } from './limits.ts';
import type { PaxRecords } from './pax.ts';
import type { TarHeader } from './tar-header.ts';

/** Longest extended header; a name fits into 1 KiB. And most bytes of all of them: a signature says nothing of them, so anybody could make reading slow. */
const MAX_EXTENDED = 65_536;
const MAX_ALL_EXTENDED = 16_777_216;

/** Most bytes from the end marker on, for the same reason. Writers fill up to 10 KiB, unless told otherwise. */
const MAX_PADDING = 1_048_576;

/** Files by name; the bytes are views into the archive. */
export type Files = ReadonlyMap<string, Uint8Array>;

/**
 * Reads a whole tar archive. Only files and folders; every name in one form (`memberName`) and once; the end marker of two zero blocks is
 * needed and nothing but zeros may follow it, so that no other reader finds more members than we did.
 */
export function readTar(archive: Uint8Array, limits: BundleLimits): Result<Files, BundleFault> {
  return new TarReader(archive, limits).read();
}

class TarReader {
  readonly #archive: Uint8Array;
  readonly #limits: BundleLimits;
  readonly #files = new Map<string, Uint8Array>();
  #offset = 0;
  #members = 0;
  #extendedBytes = 0;
  /** From an extended header, for the member after it. */
  #pending: PaxRecords | undefined;

  constructor(archive: Uint8Array, limits: BundleLimits) {
    this.#archive = archive;
    this.#limits = limits;
  }

  read(): Result<Files, BundleFault> {
    if (this.#archive.length % BLOCK !== 0) return refuse('tar_malformed', 'the length is no multiple of 512');
    while (this.#offset < this.#archive.length) {
      const block = this.#archive.subarray(this.#offset, this.#offset + BLOCK);
      if (isZero(block)) return this.#end();
      const header = readHeader(block);
      if (typeof header === 'string') return refuse('tar_malformed', `${header}, at byte ${this.#offset}`);
      this.#offset += BLOCK;
      const step = this.#member(header);
      if (!step.ok) return step;
    }
    return refuse('tar_malformed', 'the archive ends without its end marker');
  }

  #end(): Result<Files, BundleFault> {
    const rest = this.#archive.subarray(this.#offset);
    if (rest.length < 2 * BLOCK) return refuse('tar_malformed', 'the archive ends without its end marker');
    if (rest.length > MAX_PADDING)
      return refuse('too_large', `more than ${MAX_PADDING} bytes from the end marker on; pack the bundle again`);
    if (!isZero(rest)) return refuse('tar_malformed', 'something stands after the end marker');
    if (this.#pending !== undefined) return refuse('tar_malformed', 'an extended header without its member');
    return ok(this.#files);
  }

  #member(header: TarHeader): Result<void, BundleFault> {
    const pending = this.#pending ?? {};
    const size = pending.size ?? header.size;
    const name = pending.path ?? header.name;
    if (name === undefined) return refuse('tar_malformed', `a name that is not UTF-8, before byte ${this.#offset}`);
    this.#members += 1;
    if (this.#members > this.#limits.members) return refuse('too_large', `more than ${this.#limits.members} members`);
    if (size > this.#limits.memberBytes)
      return refuse('too_large', `${show(name)} is larger than ${this.#limits.memberBytes} bytes`);
    const content = this.#take(size);
    if (content === undefined) return refuse('tar_malformed', `${show(name)} is cut off`);
    if ('xgL'.includes(header.type)) return this.#extended(header.type, content);
    this.#pending = undefined;
    if (header.type === '5') return this.#folder(name, size);
    if (header.type !== '0') return refuse('member_refused', `${show(name)} is a link, device or other special file`);
    return this.#file(name, content);
  }

  /** Content of `size` bytes, padded to whole blocks. */
  #take(size: number): Uint8Array | undefined {
    const start = this.#offset;
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (start + padded > this.#archive.length) return undefined;
    this.#offset = start + padded;
    return this.#archive.subarray(start, start + size);
  }

  #extended(type: string, content: Uint8Array): Result<void, BundleFault> {
    if (content.length > MAX_EXTENDED) return refuse('too_large', 'an extended header is larger than 65536 bytes');
    this.#extendedBytes += content.length;
    if (this.#extendedBytes > MAX_ALL_EXTENDED)
      return refuse('too_large', `extended headers of more than ${MAX_ALL_EXTENDED} bytes; pack the bundle again`);
    if (this.#pending !== undefined) return refuse('tar_malformed', 'two extended headers for one member');
    if (type === 'g') {
      const fault = globalPaxFault(content);
      return fault === undefined ? ok(undefined) : refuse('tar_malformed', fault);
    }
    const records = type === 'L' ? gnuLongName(content) : readPax(content);
    if (typeof records === 'string') return refuse('tar_malformed', records);
    this.#pending = records;
    return ok(undefined);
  }

  #folder(name: string, size: number): Result<void, BundleFault> {
    if (size !== 0) return refuse('tar_malformed', `the folder ${show(name)} has content`);
    const isRoot = name === '/' || name === './' || name === '.';
    if (!isRoot && memberName(name.replace(/\/$/, '')) === undefined) return refuse('name_refused', show(name));
    return ok(undefined);
  }

  #file(raw: string, content: Uint8Array): Result<void, BundleFault> {
    const name = memberName(raw);
    if (name === undefined) return refuse('name_refused', show(raw));
    if (this.#files.has(name)) return refuse('name_duplicate', show(name));
    this.#files.set(name, content);
    return ok(undefined);
  }
}

function gnuLongName(content: Uint8Array): PaxRecords | string {
  const end = content.indexOf(0);
  const path = utf8(end < 0 ? content : content.subarray(0, end));
  return path === undefined ? 'a name that is not UTF-8' : { path };
}

/** A name as the operator may safely see it in a terminal. */
function show(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
