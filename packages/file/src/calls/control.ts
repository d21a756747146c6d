/** Control: an operator's command is applied at once; one CONTROL record names the jobs it changed and their new positions. */
import type { ControlParams, ControlResult, JobId } from "@pq/core/backend";
import {
  BURIED,
  type ByteReader,
  type ByteWriter,
  isVisible,
  parseWords,
  type QueueState,
  type Since,
} from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { CONTROL } from "../records.ts";

const TYPES = ["kick", "dig", "delete", "truncate", "pause", "resume"] as const;
type ControlType = (typeof TYPES)[number];
const OUTCOMES = ["done", "not-found", "invalid-state"] as const;
const words = new Int32Array(4);

/** What a command changes: the slots, and an outcome for each id it named. */
interface Choice {
  readonly slots: number[];
  readonly outcomes: ControlResult["outcomes"];
}

/** Choose, write down and apply. The queue has caught up with `now`. */
export function control(queue: QueueState, params: ControlParams, now: number, frames: FrameWriter): ControlResult {
  const { slots, outcomes } = choose(queue, params);
  const all = queue.jobs.table.count - queue.jobs.pending;
  const result = { count: params.type === "truncate" ? all : slots.length, outcomes };
  const { out } = frames;
  frames.begin(CONTROL, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, params.request);
  out.u8(TYPES.indexOf(params.type));
  writeResult(out, result);
  const time = queue.fresh(now);
  out.f64(time);
  out.f64(queue.order);
  out.u32(slots.length);
  for (const slot of slots) {
    out.words(queue.jobs.table.id(slot, words));
    applyTo(queue, params.type, slot, { time, order: ++queue.order });
  }
  frames.end();
  applyToAll(queue, params.type, result);
  return result;
}

/** Replay a CONTROL record. */
export function replayControl(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const type = TYPES[input.u8()] ?? "resume";
  const result = readResult(input);
  const time = input.f64();
  let order = input.f64();
  for (let left = input.u32(); left > 0; left--) {
    input.words(words);
    applyTo(queue, type, queue.jobs.find(words), { time, order: ++order });
  }
  queue.order = Math.max(queue.order, order);
  applyToAll(queue, type, result);
  queue.answers.remember(request, now, 1 + result.outcomes.length, () => result);
}

function choose(queue: QueueState, params: ControlParams): Choice {
  switch (params.type) {
    case "kick": {
      const slots: number[] = [];
      for (const slot of queue.jobs.buried) {
        if (slots.length >= params.limit) break;
        slots.push(slot);
      }
      return { slots, outcomes: [] };
    }
    case "dig":
      return chooseByIds(queue, params.ids, "invalid-state", (slot) => queue.jobs.table.state(slot) === BURIED);
    case "delete":
      return chooseByIds(queue, params.ids, "not-found", () => true);
    case "truncate":
    case "pause":
    case "resume":
      return { slots: [], outcomes: [] };
  }
}

/** `again` is the outcome for an id that is named a second time. */
function chooseByIds(
  queue: QueueState,
  ids: readonly JobId[],
  again: "not-found" | "invalid-state",
  allowed: (slot: number) => boolean,
): Choice {
  const chosen = new Set<number>();
  const outcomes = ids.map((id) => {
    parseWords(id, words);
    const slot = queue.jobs.find(words);
    if (!isVisible(queue, slot)) return "not-found";
    if (chosen.has(slot)) return again;
    if (!allowed(slot)) return "invalid-state";
    chosen.add(slot);
    return "done";
  });
  return { slots: [...chosen], outcomes };
}

/** `slot` is -1 for a job that replay does not know. */
function applyTo(queue: QueueState, type: ControlType, slot: number, since: Since): void {
  if (type === "kick" || type === "dig") {
    queue.counters[type]++;
    if (slot >= 0) queue.toTheEnd(slot, 0, since);
  } else if (type === "delete") {
    queue.counters.delete++;
    if (slot >= 0) queue.remove(slot);
  }
}

function applyToAll(queue: QueueState, type: ControlType, { count }: ControlResult): void {
  if (type === "truncate") {
    queue.counters.delete += count;
    queue.truncate();
  }
  if (type === "pause" || type === "resume") queue.paused = type === "pause";
}

function writeResult(out: ByteWriter, { count, outcomes }: ControlResult): void {
  out.f64(count);
  out.u32(outcomes.length);
  for (const outcome of outcomes) out.u8(OUTCOMES.indexOf(outcome));
}

function readResult(input: ByteReader): ControlResult {
  const count = input.f64();
  const length = input.u32();
  return { count, outcomes: Array.from({ length }, () => OUTCOMES[input.u8()] ?? "done") };
}
