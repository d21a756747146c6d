/**
 * The random commands of the model test, as data. They name jobs, leases and earlier calls by how far back they are
 * (0: the newest), so that a command still means something when others before it were taken away to shorten a failing run.
 * They name times by the index of a span, since what a span lasts depends on the clock (see `pace.ts`).
 */
import type { Capabilities } from "../../capabilities.ts";
import { JOB_STATES, type JobState, UNLIMITED_ATTEMPTS } from "../../job.ts";
import type { Arbitrary, FastCheck } from "./fast-check.ts";

/** An index into the spans of time. */
export type Span = number;

/** How many spans there are. */
const SPANS = 7;

/** One job to put. */
export interface JobSpec {
  readonly priority: number;
  readonly urgent: boolean;
  readonly due: { readonly type: "now" | "in" | "at" | "past"; readonly span: Span };
  readonly ttl: Span | null;
  readonly lease: Span | null;
  readonly key: string | null;
  readonly group: string | null;
  readonly maxAttempts: number;
  readonly keepResult: Span | null;
  readonly payload: number;
  /** Use the id of that earlier job, which may be gone; `null`: a new id. */
  readonly again: number | null;
}

/** What to do with one lease. */
export interface LeaseSpec {
  /** How far back it was given out; may be stale by now. */
  readonly lease: number;
  /** Claim a fence that nobody has been given yet. */
  readonly forged: boolean;
  readonly type: "ack" | "release" | "requeue" | "fail" | "bury";
  readonly delay: Span | null;
  readonly text: string | null;
  readonly bytes: number | null;
}

/** A random command. */
export type Command =
  | {
      readonly type: "put";
      readonly jobs: readonly JobSpec[];
      readonly maxSize: number | null;
      readonly partial: boolean;
      /** It must come after the put before it. */
      readonly chained: boolean;
    }
  | { readonly type: "take"; readonly limit: number; readonly span: Span }
  | { readonly type: "settle"; readonly items: readonly LeaseSpec[] }
  | { readonly type: "touch"; readonly items: readonly LeaseSpec[]; readonly span: Span }
  | { readonly type: "kick"; readonly limit: number }
  | { readonly type: "dig" | "delete" | "find"; readonly jobs: readonly number[] }
  | { readonly type: Plain }
  | { readonly type: "list"; readonly state: JobState; readonly limit: number }
  | { readonly type: "pass"; readonly span: Span }
  /** Call once more, with the same request id. */
  | { readonly type: "repeat"; readonly call: number };

/** What the store under test allows. */
export interface Allowed {
  readonly capabilities: Capabilities;
  /** What may be done to the store besides calling it. */
  readonly events: readonly ("reopen" | "restart")[];
}

/** Sequences of commands for a store. */
export function sequences(fc: FastCheck, allowed: Allowed, maxLength: number): Arbitrary<Command[]> {
  return fc.array(command(fc, allowed), { minLength: 1, maxLength, size: "max" });
}

function command(fc: FastCheck, { capabilities, events }: Allowed): Arbitrary<Command> {
  const back = fc.integer({ min: 0, max: 11 });
  const span = fc.integer({ min: 0, max: SPANS - 1 });
  const limit = fc.constantFrom(1, 1, 2, 3, 10);
  const items = few(fc, lease(fc));
  const jobs = few(fc, job(fc, capabilities));
  const maxSize = fc.constantFrom(...(capabilities.capacity ? [null, null, null, 1, 3, 6] : [null]));
  const chained = fc.constantFrom(...(capabilities.chainedPuts ? [false, true] : [false]));
  const weigh = <T>(weight: number, fields: Arbitrary<T>, whole: (fields: T) => Command) => ({
    weight,
    arbitrary: fields.map(whole),
  });
  const plain = (weight: number, type: Plain) => ({ weight, arbitrary: fc.constantFrom<Command>({ type }) });
  return fc.oneof<Command>(
    weigh(60, fc.record({ jobs, maxSize, partial: fc.boolean(), chained }), (fields) => ({ type: "put", ...fields })),
    weigh(60, fc.record({ limit, span }), (fields) => ({ type: "take", ...fields })),
    weigh(60, items, (items) => ({ type: "settle", items })),
    weigh(15, fc.record({ items, span }), (fields) => ({ type: "touch", ...fields })),
    weigh(6, limit, (limit) => ({ type: "kick", limit })),
    weigh(6, few(fc, back), (jobs) => ({ type: "dig", jobs })),
    weigh(4, few(fc, back), (jobs) => ({ type: "delete", jobs })),
    weigh(4, few(fc, back), (jobs) => ({ type: "find", jobs })),
    weigh(10, fc.record({ state: fc.constantFrom(...JOB_STATES), limit }), (fields) => ({ type: "list", ...fields })),
    weigh(45, span, (span) => ({ type: "pass", span })),
    weigh(20, back, (call) => ({ type: "repeat", call })),
    plain(10, "stats"),
    plain(2, "truncate"),
    plain(4, "pause"),
    plain(6, "resume"),
    ...events.map((event) => plain(5, event)),
  );
}

/** A command that needs nothing else to be known. */
export type Plain = "truncate" | "pause" | "resume" | "stats" | "reopen" | "restart";

function few<T>(fc: FastCheck, item: Arbitrary<T>): Arbitrary<T[]> {
  return fc.array(item, { minLength: 1, maxLength: 3, size: "max" });
}

function job(fc: FastCheck, { keys, groups, results }: Capabilities): Arbitrary<JobSpec> {
  const span = fc.integer({ min: 0, max: SPANS - 1 });
  const sometimes = optional(fc, span);
  return fc.record<JobSpec>({
    priority: fc.constantFrom(0, 0, 0, -1, 1, -(2 ** 31), 2 ** 31 - 1),
    urgent: fc.constantFrom(false, false, false, false, true),
    due: fc.record<JobSpec["due"]>({ type: fc.constantFrom("now", "now", "now", "in", "in", "at", "past"), span }),
    ttl: sometimes,
    lease: sometimes,
    key: fc.constantFrom(...(keys ? [null, null, null, "a", "b"] : [null])),
    group: fc.constantFrom(...(groups ? [null, null, "g", "h"] : [null])),
    maxAttempts: fc.constantFrom(1, 1, 2, 2, 3, UNLIMITED_ATTEMPTS),
    keepResult: results ? sometimes : fc.constantFrom(null),
    payload: fc.integer({ min: 0, max: 3 }),
    again: fc.constantFrom(null, null, null, null, null, 0, 1, 2, 5),
  });
}

function lease(fc: FastCheck): Arbitrary<LeaseSpec> {
  return fc.record<LeaseSpec>({
    lease: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 5, 8),
    forged: fc.constantFrom(false, false, false, false, false, false, false, true),
    type: fc.constantFrom("ack", "ack", "release", "requeue", "fail", "fail", "bury"),
    delay: optional(fc, fc.integer({ min: 0, max: SPANS - 1 })),
    text: fc.constantFrom(null, "", "went wrong"),
    bytes: optional(fc, fc.integer({ min: 0, max: 3 })),
  });
}

/** Nothing in two of three cases. */
function optional<T>(fc: FastCheck, item: Arbitrary<T>): Arbitrary<T | null> {
  return fc.oneof<T | null>({ weight: 2, arbitrary: fc.constantFrom<T | null>(null) }, { weight: 1, arbitrary: item });
}
