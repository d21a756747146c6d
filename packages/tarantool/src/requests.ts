/** The calls of the seam, as what the methods in `lua` want. */
import {
  type ControlParams,
  jobIdToBytes,
  type NewJob,
  type PutParams,
  type Settlement,
  type SettleParams,
  type TouchParams,
} from "@pq/core/backend";
import { idsToBytes, requestBytes, stored, storedText } from "./bytes.ts";
import type { CallParams } from "./link.ts";
import type { Sendable } from "./iproto/value.ts";

/** What says in a new row when the job is due: now, after so many ms, at a time. */
const NOW = 1;
const AFTER = 2;
const AT = 5;

/** A put. */
export function putCall({ queue, request, after, maxSize, partial, jobs }: PutParams): CallParams {
  const before = after === null ? null : requestBytes(after);
  const args = [queue, requestBytes(request), before, maxSize, partial, jobs.map(rowOf)];
  return { method: "put", args, changes: true };
}

/** A row as `lua/spaces.lua` says, with what only the server knows left open. What is not there at its end is left out. */
function rowOf(job: NewJob): Sendable {
  const { due, payload, headers, priority, urgent, maxAttempts } = job;
  const [kind, time] = due === null ? [NOW, 0] : "in" in due ? [AFTER, due.in] : [AT, due.at];
  const row: Sendable[] = [
    0, jobIdToBytes(job.id), kind, time, 0, 0, 0, maxAttempts, 0, priority, urgent ? 1 : 0, null, headers, stored(payload),
  ]; // prettier-ignore
  const { group, key, ttl, lease, keepResult } = job;
  const rest = [group, key, ttl, lease, keepResult];
  const last = rest.findLastIndex((value) => value !== null);
  return last < 0 ? row : [...row, ...rest.slice(0, last + 1)];
}

/** A settle. Those that are only acked need no more than their proofs. */
export function settleCall({ queue, request, items }: SettleParams): CallParams {
  const others = items.flatMap((item, index) => {
    const way = wayOf(item);
    return way === undefined ? [] : [[index + 1, ...way]];
  });
  return { method: "settle", args: [queue, requestBytes(request), ...proofsOf(items), others], changes: true };
}

/** How to settle; `undefined`: a plain ack. */
function wayOf(item: Settlement): readonly Sendable[] | undefined {
  switch (item.type) {
    case "ack":
      return item.result === null ? undefined : ["ack", stored(item.result)];
    case "release":
      return ["release", item.delay];
    case "requeue":
      return ["requeue"];
    case "fail":
      return ["fail", item.delay, storedText(item.error)];
    case "bury":
      return ["bury", item.error === null ? null : storedText(item.error)];
  }
}

/** A touch. */
export function touchCall({ queue, request, items }: TouchParams): CallParams {
  const leases = items.map(({ lease }) => lease);
  const progress = items.flatMap(({ progress }, index) => (progress === null ? [] : [[index + 1, stored(progress)]]));
  const args = [queue, requestBytes(request), ...proofsOf(items), leases, progress];
  return { method: "touch", args, changes: true };
}

function proofsOf(items: readonly (Settlement | TouchParams["items"][number])[]): [Buffer, readonly number[]] {
  return [idsToBytes(items.map(({ id }) => id)), items.map(({ fence }) => fence)];
}

/** An operator's command. */
export function controlCall(params: ControlParams): CallParams {
  const { queue, type } = params;
  const request = requestBytes(params.request);
  switch (params.type) {
    case "kick":
      return { method: type, args: [queue, request, params.limit], changes: true };
    case "dig":
    case "delete":
      return { method: type, args: [queue, request, idsToBytes(params.ids)], changes: true };
    case "truncate":
      return { method: type, args: [queue, request], changes: true };
    case "pause":
    case "resume":
      return { method: "pause", args: [queue, request, type === "pause"], changes: true };
  }
}
