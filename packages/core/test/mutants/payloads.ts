import type { Settlement, SettleOutcome, Touch } from "../../src/backend.ts";
import type { DeliveredJob, NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made, type TakeInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Stores something else than it was given. */
function stores(change: (job: NewJob) => Partial<NewJob>): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override add(job: NewJob, now: number): void {
        super.add({ ...job, ...change(job) }, now);
      }
    },
  );
}

/** Changes every payload that it stores. */
function storesPayload(change: (payload: Uint8Array) => Uint8Array): () => ReferenceQueue {
  return stores(({ payload }) => ({ payload: change(payload) }));
}

/** A text once through UTF-8. */
const asText = (payload: Uint8Array): Uint8Array => Buffer.from(Buffer.from(payload).toString());

/** JSON once through a document. */
function asDocument(payload: Uint8Array): Uint8Array {
  try {
    return Buffer.from(JSON.stringify(JSON.parse(Buffer.from(payload).toString())));
  } catch {
    return payload;
  }
}

export const payloads: readonly Mutant[] = [
  { rule: "payloads.odd-bytes", bug: "stores payloads as UTF-8 text", queue: storesPayload(asText) },
  { rule: "payloads.odd-bytes", bug: "stores JSON as a document", queue: storesPayload(asDocument) },
  {
    rule: "payloads.odd-bytes",
    bug: "ends payloads at a NUL",
    queue: storesPayload((payload) => payload.subarray(0, [...payload, 0].indexOf(0))),
  },
  {
    rule: "payloads.empty",
    bug: "stores no empty payload",
    queue: storesPayload((payload) => (payload.length === 0 ? Uint8Array.of(0) : payload)),
  },
  {
    rule: "payloads.largest",
    bug: "cuts the last byte off the largest payload",
    queue: storesPayload((payload) => payload.subarray(0, 2 ** 20 - 1)),
  },
  {
    rule: "payloads.many-sizes",
    bug: "keeps the size in 16 bits",
    queue: storesPayload((payload) => payload.subarray(0, payload.length & 0xffff)),
  },
  {
    rule: "payloads.caller-keeps-its-buffer",
    bug: "keeps the caller's payload itself",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job, now);
          force(this.jobs.get(job.id), { payload: job.payload });
        }
      },
    ),
  },
  {
    rule: "payloads.caller-keeps-its-buffer",
    bug: "keeps the caller's progress itself",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(entry: Entry, touch: Touch, now: number): void {
          super.extend(entry, touch, now);
          entry.progress = touch.progress;
        }
      },
    ),
  },
  {
    rule: "payloads.caller-keeps-its-buffer",
    bug: "keeps the caller's result itself",
    queue: made(
      class extends ReferenceQueue {
        protected override ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
          const outcome = super.ack(entry, result, now);
          entry.result = result;
          return outcome;
        }
      },
    ),
  },
  {
    rule: "payloads.consumer-owns-its-copy",
    bug: "gives its own bytes away",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number): DeliveredJob[] {
          const taken = super.take(params, now);
          return taken.map((one) => ({ ...one, payload: this.jobs.get(one.id)?.payload ?? one.payload }));
        }
      },
    ),
  },
  { rule: "payloads.headers", bug: "trims headers", queue: stores(({ headers }) => ({ headers: headers.trim() })) },
  {
    rule: "payloads.headers",
    bug: "cuts headers at 255 characters",
    queue: stores(({ headers }) => ({ headers: headers.slice(0, 255) })),
  },
  {
    rule: "payloads.errors-and-progress",
    bug: "keeps the first line of an error",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number): SettleOutcome {
          const outcome = super.settleOne(entry, item, now);
          entry.lastError = entry.lastError?.split("\n")[0] ?? null;
          return outcome;
        }
      },
    ),
  },
  {
    rule: "payloads.errors-and-progress",
    bug: "drops progress with the lease",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          entry.progress = null;
          super.giveBack(entry, delay, now);
        }
      },
    ),
  },
  {
    rule: "payloads.errors-and-progress",
    bug: "takes empty progress for none",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(entry: Entry, touch: Touch, now: number): void {
          super.extend(entry, { ...touch, progress: touch.progress?.length === 0 ? null : touch.progress }, now);
        }
      },
    ),
  },
];
