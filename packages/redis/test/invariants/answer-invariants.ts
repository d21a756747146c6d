/** What holds of answers, beside what holds of the keys. See `invariants.ts`. */
import { isDeepStrictEqual } from "node:util";
import type { QueueStats, StoredJob } from "@pq/core/backend";
import type { Repetition } from "./caller.ts";
import type { Stored } from "./stored.ts";

/** A job read by its id is as it was at `now` by the server's clock or later, however much there is to catch up with. */
export function byIdIsExact(jobs: readonly StoredJob[], now: number): string[] {
  const late = jobs.filter((job) => {
    if (job.state === "leased") return job.leaseUntil !== null && job.leaseUntil <= now;
    if (job.state === "delayed" && job.dueAt !== null && job.dueAt <= now) return true;
    return (job.state === "ready" || job.state === "delayed") && job.expiresAt !== null && job.expiresAt <= now;
  });
  return late.map(({ id, state }) => `${id} is still ${state}`);
}

/** A call that is made again gets the answer that it got. */
export function repeatIsTheSame({ answer, first }: Repetition): string[] {
  return isDeepStrictEqual(answer, first) ? [] : [`${JSON.stringify(answer)}, not ${JSON.stringify(first)}`];
}

/** Each counter of calls is the sum of what they were answered. */
export function countersTellWhatWasDone({ meta }: Stored, counted: ReadonlyMap<string, number>): string[] {
  // Pausing is not counted, and jobs are also buried for other reasons.
  const exact = ["put", "duplicate", "take", "ack", "release", "requeue", "fail", "touch", "kick", "dig", "delete"];
  const wrong = exact.filter((name) => Number(meta.get(name) ?? 0) !== (counted.get(name) ?? 0));
  return wrong.map((name) => `${name} is ${meta.get(name) ?? 0}, not ${counted.get(name) ?? 0}`);
}

/** Each job that was put was acked, expired or deleted, or is there. Some of the deleted ones may have been done, so acked before. */
export function noJobIsLost({ all, meta }: Stored, doneDeleted: number): string[] {
  const count = (name: string): number => Number(meta.get(name) ?? 0);
  const expected = count("put") - count("ack") - count("expired") - count("delete");
  const there = all.filter(({ kind }) => kind !== "e").length;
  const isRight = there >= expected && there <= expected + doneDeleted;
  return isRight ? [] : [`${there} jobs are there, not ${expected} to ${expected + doneDeleted}`];
}

/** The counts are those of the jobs that are stored. */
export function statsAreTrue(stats: QueueStats, { all, meta }: Stored): string[] {
  const count = (kinds: string): number => all.filter(({ kind }) => kinds.includes(kind)).length;
  const counted = {
    ready: count("frw"),
    delayed: count("d"),
    leased: count("l"),
    buried: count("b"),
    done: count("e"),
  };
  const { ready, delayed, leased, buried, done } = stats;
  const same =
    isDeepStrictEqual({ ready, delayed, leased, buried, done }, counted) &&
    stats.paused === (meta.get("paused") === "1");
  return same ? [] : [`${JSON.stringify(stats)}, not ${JSON.stringify(counted)}`];
}
