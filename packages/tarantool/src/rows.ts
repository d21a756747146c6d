/** The rows of jobs, as results of the seam. `lua/spaces.lua` says what stands where. */
import { type BuryReason, type DeliveredJob, type JobState, jobIdFromBytes, type StoredJob } from "@pq/core/backend";
import type { Received } from "./iproto/value.ts";

/** A row. */
export type Row = readonly Received[];

/** The states, by their numbers. WAITS is a ready one. */
const STATES: readonly JobState[] = ["ready", "ready", "delayed", "leased", "buried", "done"];
const DELAYED = 2;
const LEASED = 3;
const BURIED = 4;
const DONE = 5;

const PAYLOAD = 13;
const ERROR = 20;
const PROGRESS = 21;
const RESULT = 22;

/** What rows have in pieces, by the number of the row and the field, both from 0. */
export class Blobs {
  readonly #bytes = new Map<string, Buffer>();

  /** As they come: number, field, pieces; both numbers from 1. */
  constructor(found: readonly Received[]) {
    for (const [number, field, pieces] of found as readonly (readonly [number, number, readonly Buffer[]])[]) {
      this.#bytes.set(`${number - 1}/${field - 1}`, Buffer.concat(pieces));
    }
  }

  /** The bytes of a field; `null`: there are none. */
  bytes(row: Row, index: number, field: number): Buffer | null {
    const value = row[field];
    if (typeof value === "number") return this.#bytes.get(`${index}/${field}`) ?? Buffer.alloc(0);
    return (value ?? null) as Buffer | null;
  }

  /** The same as text. */
  text(row: Row, index: number, field: number): string | null {
    return this.bytes(row, index, field)?.toString() ?? null;
  }
}

/** How a take leased its jobs. */
export interface Leased {
  /** Of jobs that bring none of their own, in ms. */
  readonly lease: number;
  /** The fence of the first one, and so on: their rows are as they were before. `null`: the rows have all of it. */
  readonly firstFence: number | null;
}

/** A job that a take gives. Written field by field, here and below: it is most of what a take costs on this side. */
export function deliveredJob(row: Row, index: number, blobs: Blobs, { lease, firstFence }: Leased): DeliveredJob {
  const attempt = row[6] as number;
  return {
    id: jobIdFromBytes(row[1] as Buffer),
    fence: firstFence === null ? (row[5] as number) : firstFence + index,
    payload: blobs.bytes(row, index, PAYLOAD)!,
    headers: textOf(row[12]) ?? "",
    priority: row[9] as number,
    key: textOf(row[15]),
    group: textOf(row[14]),
    attempt: firstFence === null ? attempt : attempt + 1,
    maxAttempts: row[7] as number,
    lease: numberOf(row[17]) ?? lease,
    createdAt: row[8] as number,
    lastError: blobs.text(row, index, ERROR),
    progress: blobs.bytes(row, index, PROGRESS),
  };
}

/** A job that a read gives. */
export function storedJob(row: Row, index: number, blobs: Blobs): StoredJob {
  const state = row[2] as number;
  const rank = row[3] as number;
  return {
    id: jobIdFromBytes(row[1] as Buffer),
    state: STATES[state] ?? "ready",
    payload: blobs.bytes(row, index, PAYLOAD)!,
    headers: textOf(row[12]) ?? "",
    priority: row[9] as number,
    urgent: ((row[10] as number) & 1) === 1,
    key: textOf(row[15]),
    group: textOf(row[14]),
    attempt: row[6] as number,
    maxAttempts: row[7] as number,
    fence: row[5] as number,
    createdAt: row[8] as number,
    dueAt: state === DELAYED ? rank : null,
    leaseUntil: state === LEASED ? rank : null,
    expiresAt: numberOf(row[16]),
    buryReason: state === BURIED ? (textOf(row[19]) as BuryReason | null) : null,
    lastError: blobs.text(row, index, ERROR),
    progress: blobs.bytes(row, index, PROGRESS),
    result: state === DONE ? blobs.bytes(row, index, RESULT) : null,
  };
}

/** Where a page goes on that ended with this row. */
export function cursorAfter(row: Row): string {
  return `${row[3] as number}:${row[4] as number}`;
}

/** Rank and position of a cursor; a `RangeError` when it is none of ours. */
export function readCursor(cursor: string | null): readonly [number | null, number | null] {
  if (cursor === null) return [null, null];
  const [rank, position, ...more] = cursor.split(":").map(Number);
  if (!Number.isSafeInteger(rank) || !Number.isSafeInteger(position) || more.length > 0) {
    throw new RangeError(`this cursor is not one of @pq/tarantool: ${cursor.slice(0, 40)}`);
  }
  return [rank!, position!];
}

function textOf(value: Received | undefined): string | null {
  if (!Buffer.isBuffer(value)) return null;
  return value.length === 0 ? "" : value.toString();
}

function numberOf(value: Received | undefined): number | null {
  return typeof value === "number" ? value : null;
}
