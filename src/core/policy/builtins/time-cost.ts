import type { BuiltinContext } from '../builtin.ts';

/** A microsecond in steps: 200 M are about 5 ms. */
const MICROSECOND = 40_000;
const CALL = 2 * MICROSECOND;
const ZONE = 12 * MICROSECOND;
const CHARACTER = 0.15 * MICROSECOND;
const DURATION_CHARACTER = 0.4 * MICROSECOND;
const NAMES = 130 * MICROSECOND;

/** Pays for calendar arithmetic, and for finding a zone where one is named, also one that there is not. */
export function chargeMoment(cost: BuiltinContext, zone: string): void {
  cost.charge(zone === 'UTC' || zone === '' ? CALL : CALL + ZONE);
}

/** Pays for taking a layout apart and for reading or writing its fields, before it is done. */
export function chargeLayout(cost: BuiltinContext, layout: string): void {
  cost.charge(CALL + layout.length * CHARACTER);
}

/** Pays for reading a duration. */
export function chargeDuration(cost: BuiltinContext, text: string): void {
  cost.charge(text.length * DURATION_CHARACTER);
}

/** Pays for the names that one English has for zones, which the platform makes ready anew each time. */
export function chargeZoneNames(cost: BuiltinContext): void {
  cost.charge(NAMES);
}
