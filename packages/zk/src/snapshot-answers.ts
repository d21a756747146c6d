/**
 * The answers of recent calls in a snapshot. Most answers are one outcome many times, so they are written as runs.
 *
 * ```
 * answer   request (16), at (8), items (4), kind (1), for an operator's command its count (8), number of runs (4), runs
 * run      outcome (1), how many (4), for a duplicate the id of the job that was there (16)
 * ```
 */
import type { JobId } from "@pq/core/backend";
import { ADDED, type ByteReader, type ByteWriter, FULL, type Remembered } from "@pq/core/state";
import { readJobId, readRequest, writeId } from "./id-bytes.ts";

/** What a call answers for an item, by number. New ones go to the end. */
const OUTCOMES: readonly unknown[] = [
  ADDED, FULL, "gone", "ready", "delayed", "leased", "buried", "done", "lost", "not-found", "invalid-state", true, false,
]; // prettier-ignore
const CODES: ReadonlyMap<unknown, number> = new Map(OUTCOMES.map((outcome, code) => [outcome, code]));
const DUPLICATE = 255;
const ITEMS = 0;
const CONTROL = 1;

/** Write what a call answered. */
export function writeAnswer([request, at, items, answer]: Remembered, out: ByteWriter): void {
  writeId(out, request);
  out.f64(at);
  out.u32(items);
  if (Array.isArray(answer)) {
    out.u8(ITEMS);
    writeRuns(out, answer);
  } else {
    const { count, outcomes } = answer as { count: number; outcomes: readonly unknown[] };
    out.u8(CONTROL);
    out.f64(count);
    writeRuns(out, outcomes);
  }
}

/** What `writeAnswer` wrote. */
export function readAnswer(input: ByteReader): Remembered {
  const request = readRequest(input);
  const at = input.f64();
  const items = input.u32();
  if (input.u8() === ITEMS) return [request, at, items, readRuns(input)];
  const count = input.f64();
  return [request, at, items, { count, outcomes: readRuns(input) }];
}

function writeRuns(out: ByteWriter, outcomes: readonly unknown[]): void {
  const start = out.length;
  out.u32(0);
  let runs = 0;
  for (let at = 0; at < outcomes.length; runs++) {
    const outcome = outcomes[at];
    const from = at++;
    while (at < outcomes.length && outcomes[at] === outcome) at++;
    const code = CODES.get(outcome);
    out.u8(code ?? DUPLICATE);
    out.u32(at - from);
    if (code === undefined) writeId(out, (outcome as { id: JobId }).id);
  }
  out.u32At(start, runs);
}

function readRuns(input: ByteReader): unknown[] {
  const outcomes: unknown[] = [];
  for (let runs = input.u32(); runs > 0; runs--) {
    const code = input.u8();
    const count = input.u32();
    const outcome = code === DUPLICATE ? { status: "duplicate", id: readJobId(input) } : OUTCOMES[code];
    if (outcome === undefined) throw new RangeError("an outcome is of an unknown kind");
    for (let left = count; left > 0; left--) outcomes.push(outcome);
  }
  return outcomes;
}
