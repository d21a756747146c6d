/**
 * What one run of the model test knows: the jobs it put, and the leases that both sides gave.
 *
 * Ids of jobs are the same on both sides, fences are not: a fence of the store must be greater than the one before it of
 * the same job, and stands for the fence that the model gave for the same delivery.
 */
import type { Settlement } from "../../backend.ts";
import { newJobId } from "../../id.ts";
import type { DeliveredJob, JobId, LeaseProof, NewJob, StoredJob } from "../../job.ts";
import type { JobSpec, LeaseSpec } from "./commands.ts";
import type { Pace } from "./pace.ts";
import type { Names } from "./show.ts";

/** The reference store, or the one under test. */
export type Side = "model" | "store";

/** One delivery: its fence on both sides. */
export interface Lease {
  readonly id: JobId;
  readonly model: number;
  readonly store: number;
}

/** A stored job without what cannot be compared as it is. */
export type PlainJob = Omit<StoredJob, "fence"> & { readonly fence: string };

/** A payload, result or progress of the test: nothing, or a few odd bytes. */
const BYTES = ["", "00", "ff00fe", "7b22613a317d"].map((hex) => new Uint8Array(Buffer.from(hex, "hex")));

/** The ledger of one run. */
export class Ledger {
  readonly #pace: Pace;
  readonly #names = new Map<string, string>();
  readonly #jobs: JobId[] = [];
  readonly #leases: Lease[] = [];

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** The jobs by short names, for people. */
  get names(): Names {
    return this.#names;
  }

  /** The ids of jobs that stand so far back, each once. */
  jobs(back: readonly number[]): JobId[] {
    const ids = back.map((steps) => newest(this.#jobs, steps)).filter((id) => id !== undefined);
    return [...new Set(ids)];
  }

  /** A new job; its id is given where an earlier one is used again. */
  newJob(spec: JobSpec, id: JobId = this.#newId()): NewJob {
    const lasting = (span: number | null): number | null => (span === null ? null : this.#pace.lasting(span));
    return {
      id,
      payload: bytes(spec.payload) ?? new Uint8Array(),
      priority: spec.priority,
      urgent: spec.urgent,
      due: spec.urgent ? null : this.#due(spec.due),
      ttl: lasting(spec.ttl),
      lease: spec.lease === null ? null : this.#pace.ownLease(spec.lease),
      key: spec.key,
      group: spec.group,
      maxAttempts: spec.maxAttempts,
      keepResult: lasting(spec.keepResult),
      headers: spec.payload === 1 ? "h\u00e9" : "",
    };
  }

  /** The proofs that the specs speak of, at most one for each job. Without any lease so far, one that never was. */
  proofs(specs: readonly LeaseSpec[]): { readonly spec: LeaseSpec; readonly lease: Lease }[] {
    const chosen = new Map<JobId, { spec: LeaseSpec; lease: Lease }>();
    for (const spec of specs) {
      const lease = newest(this.#leases, spec.lease) ?? { id: newJobId(), model: 1, store: 1 };
      const beyond = spec.forged ? 1_000_000 : 0;
      chosen.set(lease.id, { spec, lease: { id: lease.id, model: lease.model + beyond, store: lease.store + beyond } });
    }
    return [...chosen.values()];
  }

  /** Note one delivery. Says what is wrong with the store's fence, if anything is. */
  delivered(model: LeaseProof, store: LeaseProof): string | undefined {
    const { id, fence } = store;
    const known = this.#leases.find((lease) => lease.id === id && lease.model === model.fence);
    if (known !== undefined) return known.store === fence ? undefined : `fence ${fence} instead of ${known.store}`;
    const last = this.#last(id)?.store ?? 0;
    if (!Number.isSafeInteger(fence) || fence <= last) return `fence ${fence} after ${last}`;
    this.#leases.push({ id, model: model.fence, store: fence });
    return undefined;
  }

  /** A delivery as it is compared. */
  plainDelivery({ fence: _fence, createdAt, ...job }: DeliveredJob): object {
    return { ...job, createdAt: this.#pace.comparable(createdAt, createdAt) };
  }

  /** A stored job as it is compared. */
  plainJob({ fence, ...job }: StoredJob, side: Side): PlainJob {
    const time = (at: number | null): number | null => (at === null ? null : this.#pace.comparable(at, job.createdAt));
    return {
      ...job,
      fence: fence === (this.#last(job.id)?.[side] ?? 0) ? "newest" : `not the newest: ${fence}`,
      createdAt: this.#pace.comparable(job.createdAt, job.createdAt),
      dueAt: time(job.dueAt),
      expiresAt: time(job.expiresAt),
      leaseUntil: time(job.leaseUntil),
    };
  }

  #last(id: JobId): Lease | undefined {
    return this.#leases.findLast((lease) => lease.id === id);
  }

  #newId(): JobId {
    const id = newJobId();
    this.#jobs.push(id);
    this.#names.set(id, `job${this.#jobs.length}`);
    return id;
  }

  #due({ type, span }: JobSpec["due"]): NewJob["due"] {
    switch (type) {
      case "now":
        return null;
      case "in":
        return { in: this.#pace.lasting(span) };
      case "at":
        return this.#pace.at(span);
      case "past":
        return this.#pace.past(span);
    }
  }
}

/** The bytes of this number. */
export function bytes(index: number | null): Uint8Array | null {
  return index === null ? null : (BYTES[index] ?? null);
}

/** What a spec does with the lease, but for the proof. */
export function settlement({ type, text, bytes: result }: LeaseSpec, delay: number, proof: LeaseProof): Settlement {
  switch (type) {
    case "ack":
      return { ...proof, type, result: bytes(result) };
    case "release":
      return { ...proof, type, delay };
    case "requeue":
      return { ...proof, type };
    case "fail":
      return { ...proof, type, delay, error: text ?? "failed" };
    case "bury":
      return { ...proof, type, error: text };
  }
}

/** The item so many steps back from the end, around and around. */
export function newest<T>(items: readonly T[], back: number): T | undefined {
  return items[items.length - 1 - (back % items.length)];
}

/** Puts jobs that end at the same moment in one order, since a listing by time leaves it open. */
export function sortEqualTimes(jobs: readonly StoredJob[], pace: Pace): StoredJob[] {
  const sorted: StoredJob[] = [];
  for (const job of jobs) {
    const equal = sorted.findLastIndex((other) => !(pace.sameMoment(endOf(other), endOf(job)) && other.id > job.id));
    sorted.splice(equal + 1, 0, job);
  }
  return sorted;
}

function endOf({ dueAt, leaseUntil }: StoredJob): number {
  return dueAt ?? leaseUntil ?? 0;
}
