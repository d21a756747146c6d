/** What scripts answer, as results of the seam. The heads of `scripts/*.ts` describe the answers. */
import {
  type ControlParams,
  type ControlResult,
  type Counters,
  type DeliveredJob,
  type PutOutcome,
  type QueueStats,
  readJobId,
  type SettleOutcome,
  type TakeParams,
} from "@pq/core/backend";
import { FENCE_BYTES, ID_BYTES } from "./bytes.ts";
import { readFeatures, readRecord } from "./record.ts";

const ADDED: PutOutcome = Object.freeze({ status: "added" });
const FULL: PutOutcome = Object.freeze({ status: "full" });
const A = 97;
const D = 100;
const F = 102;

/** The outcomes of a put of so many jobs. */
export function readPut(answer: Buffer, jobs: number): PutOutcome[] {
  if (answer.length === 1) return Array.from({ length: jobs }, () => (answer[0] === A ? ADDED : FULL));
  const outcomes: PutOutcome[] = [];
  for (let at = 0; at < answer.length; at++) {
    if (answer[at] === D) {
      outcomes.push({ status: "duplicate", id: readJobId(answer, at + 1) });
      at += ID_BYTES;
    } else outcomes.push(answer[at] === F ? FULL : ADDED);
  }
  return outcomes;
}

const OUTCOMES: Readonly<Record<string, SettleOutcome>> = {
  g: "gone",
  r: "ready",
  d: "delayed",
  b: "buried",
  e: "done",
  "-": "lost",
};
const OUTCOME_BY_CODE: readonly (SettleOutcome | undefined)[] = Array.from(
  { length: 128 },
  (_, code) => OUTCOMES[String.fromCharCode(code)],
);

/** The outcomes of a settle. */
export function readSettle(answer: Buffer): SettleOutcome[] {
  const outcomes: SettleOutcome[] = [];
  for (let at = 0; at < answer.length; at++) outcomes.push(OUTCOME_BY_CODE[answer[at]!] ?? "lost");
  return outcomes;
}

/** The outcomes of a touch. */
export function readTouch(answer: Buffer): boolean[] {
  return Array.from(answer, (code) => code === 49);
}

/** A delivery, and the ids of jobs that were put aside. */
export interface Taken {
  readonly jobs: readonly DeliveredJob[];
  readonly damaged: readonly string[];
}

const DETAIL_BYTES = 7;
const FIRST_ATTEMPT: Detail = { attempt: 1, features: undefined, lastError: null, progress: null };

interface Detail {
  readonly attempt: number;
  readonly features: Buffer | undefined;
  readonly lastError: string | null;
  readonly progress: Buffer | null;
}

/** The jobs of a take. */
export function readTake(answer: readonly Buffer[] | null, { lease }: Pick<TakeParams, "lease">): Taken {
  if (answer === null) return { jobs: [], damaged: [] };
  const [fenceBytes, ids, , damagedIds] = answer as [Buffer, Buffer, Buffer, Buffer, ...Buffer[]];
  const fence = fenceBytes.readUIntBE(0, FENCE_BYTES);
  const count = ids.length / ID_BYTES;
  const details = readDetails(answer, count);
  const jobs: DeliveredJob[] = [];
  for (let index = 0; index < count; index++) {
    const record = readRecord(answer[4 + index]!);
    const { attempt, features, lastError, progress } = details?.get(index) ?? FIRST_ATTEMPT;
    const { priority, key, group, maxAttempts, lease: own } = readFeatures(features);
    jobs.push({
      id: readJobId(ids, index * ID_BYTES),
      fence,
      payload: record.payload,
      headers: record.headers,
      priority,
      key,
      group,
      attempt,
      maxAttempts: record.maxAttempts || maxAttempts,
      lease: own ?? lease,
      createdAt: record.createdAt,
      lastError,
      progress,
    });
  }
  return { jobs, damaged: readIds(damagedIds) };
}

/** Of those jobs that have any. */
function readDetails(answer: readonly Buffer[], count: number): ReadonlyMap<number, Detail> | undefined {
  const list = answer[2]!;
  if (list.length === 0) return undefined;
  const details = new Map<number, Detail>();
  let text = 4 + count;
  for (let at = 0; at < list.length; at += DETAIL_BYTES) {
    const bits = list[at + 6]!;
    details.set(list.readUInt16BE(at), {
      attempt: list.readUInt32BE(at + 2),
      features: (bits & 1) === 0 ? undefined : answer[text++],
      lastError: (bits & 2) === 0 ? null : answer[text++]!.toString(),
      progress: (bits & 4) === 0 ? null : answer[text++]!,
    });
  }
  return details;
}

function readIds(bytes: Buffer): string[] {
  return Array.from({ length: bytes.length / ID_BYTES }, (_, index) => readJobId(bytes, index * ID_BYTES));
}

const CONTROL_OUTCOMES = { d: "done", n: "not-found", i: "invalid-state" } as const;

/** What `control` did; `undefined` while there is more to do. */
export function readControl(answer: Buffer, { type }: Pick<ControlParams, "type">): ControlResult | undefined {
  const [count = "", letters = ""] = answer.toString("latin1").split(" ");
  if (count === "more") return undefined;
  const outcomes = type === "dig" || type === "delete" ? letters.split("") : [];
  return { count: Number(count), outcomes: outcomes.map((letter) => CONTROL_OUTCOMES[letter as "d" | "n" | "i"]) };
}

const COUNTERS: readonly (keyof Counters)[] = [
  "put",
  "urgent",
  "take",
  "ack",
  "release",
  "requeue",
  "fail",
  "bury",
  "kick",
  "dig",
  "delete",
  "touch",
  "expired",
  "leaseExpired",
  "duplicate",
];

/** The counts of a queue. */
export function readStats(answer: readonly [number, number, number, number, number, number, ...Buffer[]]): QueueStats {
  const [jobs, delayed, leased, buried, done, paused, ...fields] = answer;
  const meta = new Map<string, number>();
  for (let at = 0; at < fields.length; at += 2) meta.set(fields[at]!.toString(), Number(fields[at + 1]!.toString()));
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, meta.get(name) ?? 0]));
  return {
    ready: jobs - delayed - leased - buried - done,
    delayed,
    leased,
    buried,
    done,
    paused: paused === 1,
    counters: counters as unknown as Counters,
  };
}
