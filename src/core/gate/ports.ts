import type { FaultCode } from '../model/faults.ts';
import type { Outcome } from '../model/outcome.ts';
import type { RecordFacts } from '../model/record-facts.ts';
import type { Permit } from './permit.ts';

/** Executes a permit for an exchange of type `E`: implemented by `io/forward`, joined by `app`. Never throws; calls `done` once. */
export type Forward<E> = (permit: Permit, exchange: E, done: (outcome: Outcome) => void) => void;

/**
 * Where encoded records go. Room is taken before a request is decided, so that an allowed request can always be written down.
 * Implemented by `io/journal`.
 */
export interface JournalPort {
  /** Takes room for one record; false when the queue is full. */
  reserve(): boolean;
  /** Calls back once: true when room was taken, false when none came free within the configured wait. */
  reserveLater(done: (reserved: boolean) => void): void;
  /** Gives room back for a record that will not be written (dropped by policy). */
  release(): void;
  /** Writes one line (without its line end) into room taken before. Never throws. */
  write(line: string): void;
  /**
   * Writes a line for which no room was taken: refusals of connections, and refusals because there was no room. Goes to a bounded reserve;
   * past that it is counted, and the count is written as soon as there is room: never silently lost.
   */
  writeUnreserved(line: string): void;
}

/** Hears of every decision when it ends, after the record was made: metrics and traces. Must not throw. */
export interface Observer {
  decided(facts: RecordFacts, verdict: 'allow' | 'deny' | 'would-deny', code: FaultCode | undefined): void;
}
