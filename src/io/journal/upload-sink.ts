import { backOffMs, between } from '../../core/kernel/back-off.ts';
import type { Random, Timer } from '../../core/kernel/clock.ts';
import { readNotice } from '../../core/record/notice.ts';
import { standInsOf, type StandIn } from '../../core/record/stand-in.ts';
import type { Tail } from '../../core/record/tail.ts';
import type { DeviceError } from './device.ts';
import { RefusalSearch } from './refusal-search.ts';
import type { JournalLog, Receiver, UploadOutcome } from './settings.ts';
import type { Chunk, JournalSink, SinkState } from './sink.ts';
import { encodeUpload, UploadSize } from './upload.ts';

/** When lines go out. Milliseconds and bytes. */
export type UploadPace = {
  /** Of one upload, compressed. */
  readonly maxBytes: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** So many lines or bytes are not kept waiting for more. */
  readonly full: { readonly records: number; readonly bytes: number };
};

export type UploadDeps = {
  readonly timer: Timer;
  readonly log: JournalLog;
  readonly wallMs: () => number;
  readonly random: Random;
};

/** Pauses between attempts while a receiver fails, milliseconds; `LAST_HURRY_MS` while the process ends. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
const LAST_HURRY_MS = 1_000;

/** After so many refusals the line is sought that the receiver does not like; after one, while it takes others and has just refused one. */
const PATIENCE = 5;

const LINE_END = 10;

/** A line without its line end, and the chunk that waits for it. */
type Line = { readonly bytes: Uint8Array; readonly length: number; readonly chunk: OpenChunk };
type OpenChunk = { readonly written: () => void; left: number };

/** What is being posted: it takes the place of the first `count` lines. `control`: a record that was posted before or will be again, in place of none. */
type Upload = {
  /** The record of a control. */
  readonly record?: Uint8Array;
  readonly count: number;
  readonly body: Uint8Array;
  readonly as: 'lines' | 'control' | StandIn['kind'];
};

type Refusal = Extract<UploadOutcome, { readonly kind: 'refused' | 'failed' }>;

/**
 * Posts lines to a decision-log receiver, in order, one upload at a time, until each was taken: an upload whose answer is lost is posted again, so
 * a line arrives once or more, and `decision_id` tells repeats. Nothing that was taken from the queue is given up but by `close`; a line that is too large for
 * the receiver, or that it refuses while it takes others, is replaced by a notice in its place.
 */
export class UploadSink implements JournalSink {
  readonly name: string;
  readonly #receiver: Receiver;
  readonly #pace: UploadPace;
  readonly #deps: UploadDeps;
  readonly #size: UploadSize;
  #state: 'idle' | 'busy' | 'failing' | 'closed' = 'idle';
  #lines: Line[] = [];
  #bytes = 0;
  #upload: Upload | undefined;
  /** What is left to try in place of the first line, which is too large. */
  #standIns: readonly StandIn[] | undefined;
  /** While the line is sought that is refused. */
  #search: RefusalSearch | undefined;
  #refusals = 0;
  #patience = PATIENCE;
  /** The newest record that was taken as it is: what a receiver takes that takes anything. */
  #known: Uint8Array | undefined;
  #withheld = 0;
  #failure: DeviceError | undefined;
  #failures = 0;
  #hurrying = false;
  /** The pause before an upload that is not full, or before the next attempt. */
  #cancelPause: (() => void) | undefined;

  constructor(name: string, receiver: Receiver, pace: UploadPace, deps: UploadDeps) {
    this.name = name;
    this.#receiver = receiver;
    this.#pace = pace;
    this.#deps = deps;
    this.#size = new UploadSize(pace.maxBytes);
  }

  get state(): SinkState {
    if (this.#failure === undefined) return { name: this.name, ok: true, detail: 'uploading' };
    return { name: this.name, ok: false, detail: `${this.#failure.code} ${this.#failure.message}` };
  }

  get withheld(): number {
    return this.#withheld;
  }

  /** A receiver that cannot be reached is no reason not to start: lines wait for it as they do later. */
  start(done: (error: DeviceError | undefined, tail: Tail | undefined) => void): void {
    done(undefined, undefined);
  }

  push(chunk: Chunk): void {
    const open: OpenChunk = { written: chunk.written, left: 0 };
    for (const bytes of linesOf(chunk.bytes)) {
      open.left += 1;
      this.#lines.push({ bytes, length: bytes.length, chunk: open });
      this.#bytes += bytes.length;
    }
    if (open.left === 0) chunk.written();
    this.#pump();
  }

  reopen(done: (opened: boolean) => void): void {
    done(true);
  }

  hurry(): void {
    this.#hurrying = true;
    if (this.#state === 'failing') this.#retry();
    else this.#pump();
  }

  close(done: () => void): void {
    this.#state = 'closed';
    this.#cancelPause?.();
    this.#lines = [];
    void this.#receiver.stop().finally(done);
  }

  #pump(): void {
    if (this.#state !== 'idle' || this.#lines.length === 0) return;
    if (this.#upload !== undefined || this.#search !== undefined || this.#isFull()) this.#begin();
    else this.#cancelPause ??= this.#deps.timer(this.#pauseMs(), () => this.#begin());
  }

  #isFull(): boolean {
    const { full } = this.#pace;
    if (this.#hurrying || this.#lines.length >= full.records) return true;
    return this.#bytes >= Math.min(full.bytes, this.#size.fullBytes);
  }

  #pauseMs(): number {
    return between(this.#pace.minDelayMs, this.#pace.maxDelayMs, this.#deps.random);
  }

  /** Posts what is to be posted again, or the next lines. */
  #begin(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#state = 'busy';
    if (this.#upload !== undefined) this.#post(this.#upload);
    else if (this.#search === undefined) this.#encode(this.#size.take(this.#lines));
    else this.#try(this.#search);
  }

  #try({ trial, rounds }: RefusalSearch): void {
    this.#standIns = undefined;
    switch (trial.kind) {
      case 'first':
        this.#encode(trial.count);
        return;
      case 'control':
        this.#postControl(this.#known ?? this.#another(rounds));
        return;
      case 'notice':
        this.#standIns = standInsOf(this.#firstLine(), this.#deps.wallMs()).slice(-1);
        this.#replaceFirst();
        return;
      default:
        trial satisfies never;
    }
  }

  /** While nothing was taken yet: a record of those that wait, each time another one. It goes out before its turn, and again in its turn. */
  #another(rounds: number): Uint8Array | undefined {
    const { bytes } = this.#lines[1 + (rounds % Math.max(1, this.#lines.length - 1))] ?? {};
    return bytes === undefined || readNotice(bytes) !== undefined ? undefined : bytes;
  }

  #postControl(line: Uint8Array | undefined): void {
    encodeUpload(line === undefined ? [] : [line], (body) => {
      if (this.#state === 'closed') return;
      if (line !== undefined && body.length <= this.#pace.maxBytes)
        this.#post({ count: 0, body, as: 'control', record: line });
      else this.#isBlocked('there is no other record yet that could tell whether it takes any', undefined);
    });
  }

  #encode(count: number): void {
    const lines = this.#lines.slice(0, count).map((line) => line.bytes);
    encodeUpload(lines, (body) => {
      if (this.#state === 'closed') return;
      const bytes = lines.reduce((sum, line) => sum + line.length, 0);
      const fitting = this.#size.learn(count, bytes, body.length);
      // A single line is tried up to what is configured: that a receiver took no upload of many says nothing of it.
      if (body.length <= (count === 1 ? this.#pace.maxBytes : this.#size.maxBytes))
        this.#post({ count, body, as: 'lines' });
      else if (count > 1) this.#encode(fitting);
      else this.#replaceFirst();
    });
  }

  #post(upload: Upload): void {
    this.#upload = upload;
    void this.#receiver.upload(upload.body).then((outcome) => this.#heard(upload, outcome));
  }

  #heard(upload: Upload, outcome: UploadOutcome): void {
    if (this.#state === 'closed') return;
    switch (outcome.kind) {
      case 'taken':
        this.#taken(upload);
        return;
      case 'too_large':
        this.#tooLarge(upload);
        return;
      case 'refused':
        this.#refused(upload, outcome);
        return;
      case 'failed':
        this.#fail({ code: outcome.code, message: outcome.detail }, outcome.retryAfterMs);
        return;
      default:
        outcome satisfies never;
    }
  }

  #taken({ count, as, record }: Upload): void {
    this.#upload = undefined;
    this.#standIns = undefined;
    this.#refusals = 0;
    this.#size.grow();
    if (as === 'withheld') this.#tellWithheld();
    if (as === 'lines') this.#remember(count);
    if (record !== undefined) this.#known = Uint8Array.from(record);
    if (this.#search === undefined) this.#patience = PATIENCE;
    else if (as === 'withheld') this.#patience = 1;
    if (this.#search?.taken(count) === false) this.#search = undefined;
    if (count > 0) this.#settle(count);
    this.#state = 'idle';
    this.#pump();
  }

  /** The first lines are at the receiver. */
  #settle(count: number): void {
    if (this.#failure !== undefined) this.#deps.log.info({ sink: this.name }, 'decision records are uploaded again');
    this.#failure = undefined;
    this.#failures = 0;
    for (const { chunk, length } of this.#lines.splice(0, count)) {
      this.#bytes -= length;
      chunk.left -= 1;
      if (chunk.left === 0) chunk.written();
    }
  }

  /** A copy, so that it does not keep the chunk that it came in. */
  #remember(count: number): void {
    const line = this.#lines.slice(0, count).findLast(({ bytes }) => readNotice(bytes) === undefined);
    if (line !== undefined) this.#known = Uint8Array.from(line.bytes);
  }

  #tellWithheld(): void {
    this.#withheld += 1;
    if (this.#search === undefined) return;
    const { decision_id } = JSON.parse(this.#firstLine()) as { readonly decision_id?: unknown };
    this.#deps.log.error(
      { sink: this.name, decision_id },
      'a decision record is refused by the receiver, which takes others: withheld',
    );
  }

  /** One refusal may be a mistake of the moment. After some the line is sought; what is tried for that goes out without pauses, but those that are asked for. */
  #refused({ count }: Upload, { code, detail, retryAfterMs }: Refusal): void {
    this.#refusals += 1;
    if (this.#search === undefined && this.#refusals < this.#patience) {
      this.#fail({ code, message: detail }, retryAfterMs);
      return;
    }
    this.#upload = undefined;
    const tried = this.#search?.trial.kind;
    if (tried === 'control' || tried === 'notice') {
      this.#isBlocked(
        `${detail} to a record, and to ${tried === 'control' ? 'another' : 'its notice'} too`,
        retryAfterMs,
      );
      return;
    }
    if (this.#search === undefined) this.#search = new RefusalSearch(count);
    else this.#search.refused(count);
    if (retryAfterMs === undefined) this.#begin();
    else this.#fail(this.#failure ?? { code, message: detail }, retryAfterMs);
  }

  /** It refuses more than one record: no notice may take their place. */
  #isBlocked(why: string, retryAfterMs: number | undefined): void {
    this.#search?.refused(0);
    this.#fail({ code: 'REFUSED', message: why }, retryAfterMs);
  }

  #tooLarge({ count, body, as }: Upload): void {
    this.#upload = undefined;
    if (as === 'control') {
      this.#isBlocked('answered 413 to another record', undefined);
      return;
    }
    if (count === 1) {
      this.#replaceFirst();
      return;
    }
    const isNews = this.#size.maxBytes === this.#pace.maxBytes;
    this.#size.lower(body.length);
    if (isNews) this.#deps.log.info({ sink: this.name, bytes: body.length }, 'the receiver takes smaller uploads only');
    this.#encode(Math.max(1, Math.floor(count / 2)));
  }

  /** The first line is too large as it is: the next of its stand-ins is posted in its place, whatever its size where it is the last. */
  #replaceFirst(): void {
    const line = this.#firstLine();
    const [next, ...others] = this.#standIns ?? standInsOf(line, this.#deps.wallMs());
    if (next === undefined) {
      this.#standIns = undefined;
      this.#fail({ code: 'HTTP_413', message: 'answered 413 to a notice: it takes nothing' }, undefined);
      return;
    }
    this.#standIns = others;
    encodeUpload(
      next.lines.map((text) => Buffer.from(text)),
      (body) => {
        if (this.#state === 'closed') return;
        if (body.length > this.#pace.maxBytes && others.length > 0) this.#replaceFirst();
        else {
          if (this.#search?.trial.kind !== 'notice') this.#tellTooLarge(line.length, next.kind);
          this.#post({ count: 1, body, as: next.kind });
        }
      },
    );
  }

  #tellTooLarge(bytes: number, as: StandIn['kind']): void {
    this.#deps.log.error({ sink: this.name, bytes }, `a decision record is too large for the receiver: ${as}`);
  }

  #firstLine(): string {
    return Buffer.from(this.#lines[0]?.bytes ?? []).toString();
  }

  #fail(error: DeviceError, retryAfterMs: number | undefined): void {
    this.#failures += 1;
    if (this.#failure?.code !== error.code) {
      this.#deps.log.error(
        { sink: this.name, code: error.code, error: error.message },
        'decision records cannot be uploaded',
      );
    }
    this.#failure = error;
    this.#state = 'failing';
    const last = this.#hurrying ? LAST_HURRY_MS : LAST_RETRY_MS;
    const pause = backOffMs(this.#failures, FIRST_RETRY_MS, last, this.#deps.random);
    this.#cancelPause = this.#deps.timer(this.#hurrying ? pause : Math.max(pause, retryAfterMs ?? 0), () =>
      this.#retry(),
    );
  }

  #retry(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#state = 'idle';
    if (this.#lines.length > 0) this.#begin();
  }
}

/** The lines of whole lines. */
function* linesOf(bytes: Uint8Array): Iterable<Uint8Array> {
  let begin = 0;
  for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, begin)) {
    yield bytes.subarray(begin, end);
    begin = end + 1;
  }
}
