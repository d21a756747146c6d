/** Jobs as they were at one entry, to be completed by their records. */
import type { DeliveredJob, StoredJob } from "@pq/core/backend";
import { BURIED, DELAYED, DONE, Extra, formatJobId, LEASED, STATE_NAMES, URGENT } from "@pq/core/state";
import type { Page } from "./pages.ts";
import type { Replica } from "./replica.ts";

/** Where a job's record stands: in the body of an entry. */
export interface Place {
  readonly page: Page;
  readonly offset: number;
  readonly size: number;
}

/** Stands for the extra of a job that has none. */
const NO_EXTRA: Readonly<Extra> = Object.freeze(new Extra());

type Known<T> = Omit<T, "payload" | "headers">;

/** A job that was leased. */
export interface DeliveredView {
  readonly place: Place;
  readonly job: Known<DeliveredJob>;
}

/** A job as it is kept. */
export interface StoredView {
  readonly place: Place;
  readonly job: Known<StoredJob>;
}

/** What the consumer sees who has just leased it. */
export function deliveredView(replica: Replica, slot: number): DeliveredView {
  const { jobs } = replica.queue;
  const { table } = jobs;
  const { fence, key, group, maxAttempts, lease, lastError, progress } = jobs.extra(slot);
  const place = placeOf(replica, slot);
  return {
    place,
    job: {
      id: formatJobId(table.id(slot, new Int32Array(4))),
      fence,
      priority: table.priority(slot),
      key,
      group,
      attempt: table.attempt(slot),
      maxAttempts,
      lease,
      createdAt: place.page.time,
      lastError,
      progress: copy(progress),
    },
  };
}

/** What an operator sees. */
export function storedView(replica: Replica, slot: number): StoredView {
  const { jobs } = replica.queue;
  const { table } = jobs;
  const state = table.state(slot);
  const extra = jobs.extraIfAny(slot) ?? NO_EXTRA;
  const place = placeOf(replica, slot);
  return {
    place,
    job: {
      id: formatJobId(table.id(slot, new Int32Array(4))),
      state: STATE_NAMES[state] ?? "ready",
      priority: table.priority(slot),
      urgent: table.has(slot, URGENT),
      key: extra.key,
      group: extra.group,
      attempt: table.attempt(slot),
      maxAttempts: extra.maxAttempts,
      fence: extra.fence,
      createdAt: place.page.time,
      dueAt: state === DELAYED ? extra.moment : null,
      expiresAt: extra.expiresAt,
      leaseUntil: state === LEASED ? extra.moment : null,
      buryReason: state === BURIED ? extra.buryReason : null,
      lastError: extra.lastError,
      progress: copy(extra.progress),
      result: state === DONE ? copy(extra.result) : null,
    },
  };
}

function placeOf({ queue: { jobs }, pages }: Replica, slot: number): Place {
  const { table } = jobs;
  return { page: pages.get(table.piece(slot)), offset: table.offset(slot), size: table.size(slot) };
}

/** Answers belong to the caller. */
function copy(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && new Uint8Array(bytes);
}
