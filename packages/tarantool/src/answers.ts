/** What the methods in `lua` answer, as results of the seam. */
import {
  type ControlParams,
  type ControlResult,
  type Counters,
  type JobId,
  type PutOutcome,
  type QueueStats,
  readJobId,
  type SettleOutcome,
} from "@pq/core/backend";
import { ID_BYTES } from "./bytes.ts";
import type { Received } from "./iproto/value.ts";

const ADDED: PutOutcome = Object.freeze({ status: "added" });
const FULL: PutOutcome = Object.freeze({ status: "full" });
const D = 100;
const F = 102;

/** The outcomes of a put of so many jobs. Nothing: all were added. */
export function readPut(answer: Buffer, jobs: number): PutOutcome[] {
  if (answer.length === 0) return Array.from({ length: jobs }, () => ADDED);
  const outcomes: PutOutcome[] = [];
  for (let at = 0; at < answer.length; at++) {
    if (answer[at] === D) {
      outcomes.push({ status: "duplicate", id: readJobId(answer, at + 1) });
      at += ID_BYTES;
    } else outcomes.push(answer[at] === F ? FULL : ADDED);
  }
  return outcomes;
}

const SETTLED: Readonly<Record<string, SettleOutcome>> = {
  g: "gone",
  l: "lost",
  1: "ready",
  2: "delayed",
  4: "buried",
  5: "done",
};

/** The outcomes of a settle. */
export function readSettle(answer: Buffer): SettleOutcome[] {
  return Array.from(answer, (letter) => SETTLED[String.fromCharCode(letter)] ?? "lost");
}

/** The outcomes of a touch. */
export function readTouch(answer: Buffer): boolean[] {
  return Array.from(answer, (letter) => letter === 116);
}

const CONTROLLED = { d: "done", n: "not-found", i: "invalid-state" } as const;

/** What `control` did; `undefined` while there is more to do. */
export function readControl(
  answer: readonly Received[],
  { type }: Pick<ControlParams, "type">,
): ControlResult | undefined {
  switch (type) {
    case "dig":
    case "delete": {
      const letters = (answer[0] as Buffer).toString("latin1").split("") as ("d" | "n" | "i")[];
      const outcomes = letters.map((letter) => CONTROLLED[letter]);
      return { count: outcomes.filter((outcome) => outcome === "done").length, outcomes };
    }
    case "kick":
      return answer[1] === true ? undefined : { count: Number(answer[0]), outcomes: [] };
    case "truncate":
      return { count: Number(answer[0]), outcomes: [] };
    case "pause":
    case "resume":
      return { count: 0, outcomes: [] };
  }
}

/** Ids as bytes, each by itself. */
export function readIds(answer: readonly Received[]): JobId[] {
  return answer.map((id) => readJobId(id as Buffer, 0));
}

/** As they stand in a row of `queues`, one after the other: jobs by state, then what was counted. */
const COUNTERS: readonly (keyof Counters)[] = [
  "put", "urgent", "take", "ack", "release", "requeue", "fail", "bury", "kick", "dig",
  "delete", "touch", "expired", "leaseExpired", "duplicate",
]; // prettier-ignore
const PAUSED = 3;
const READY = 9;
const FIRST_COUNTER = 14;

/** The counts of a queue; `null`: it is unknown. */
export function readStats(row: readonly Received[] | null): QueueStats {
  const at = (field: number): number => Number(row?.[field] ?? 0);
  const counters = Object.fromEntries(COUNTERS.map((name, index) => [name, at(FIRST_COUNTER + index)]));
  return {
    ready: at(READY),
    delayed: at(READY + 1),
    leased: at(READY + 2),
    buried: at(READY + 3),
    done: at(READY + 4),
    paused: row?.[PAUSED] === true,
    counters: counters as unknown as Counters,
  };
}
