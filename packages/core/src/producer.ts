/** The way of a payload into the store: checked, encoded, put, and put again until there is room. */
import type { PutOutcome } from "./backend.ts";
import { parseDuration } from "./duration.ts";
import { PqError } from "./errors.ts";
import type { JobId, NewJob } from "./job.ts";
import type { JobSource } from "./job-source.ts";
import type { JobMaker } from "./new-job.ts";
import type { PutOptions, ResolvedOptions } from "./options.ts";
import type { Patience } from "./patience.ts";
import type { QueueCalls } from "./queue-calls.ts";
import { validate } from "./schema.ts";

/** What became of a put. */
export interface PutResult {
  /** The new job's id; for a duplicate, that of the live job which holds the key. */
  readonly id: JobId;
  readonly status: "added" | "duplicate";
}

/** Options of `putMany`: for all, or for each. */
export type PutManyOptions<In> = PutOptions | ((payload: In, index: number) => PutOptions);

/** What a producer works with. */
export interface ProducerParts {
  readonly calls: QueueCalls;
  readonly source: JobSource<unknown>;
  readonly maker: JobMaker;
  readonly patience: Patience;
}

/**
 * Puts jobs. Without a schema, or with one that answers at once, a put takes its place in the line in the moment of the call, so jobs
 * are stored in the order of the calls; with an asynchronous one, in the order of its answers.
 */
export class Producer<In> {
  readonly #options: ResolvedOptions<unknown>;
  readonly #parts: ProducerParts;

  constructor(options: ResolvedOptions<unknown>, parts: ProducerParts) {
    this.#options = options;
    this.#parts = parts;
  }

  async put(payload: In, options: PutOptions | undefined, urgent: boolean): Promise<PutResult> {
    const { calls, maker } = this.#parts;
    const encoded = this.#encode(payload);
    const job = maker.make(encoded instanceof Promise ? await encoded : encoded, options, urgent);
    if (options?.session !== undefined) return (await this.#putAll([job], options))[0]!;
    options?.signal?.throwIfAborted();
    const outcome = await calls.put(job);
    if (outcome.status !== "full") return resultOf(job, outcome);
    const again = async (): Promise<PutOutcome | undefined> => roomOrNot(await calls.put(job));
    return resultOf(job, await this.#whenRoom(again, options));
  }

  async putMany(payloads: readonly In[], options: PutManyOptions<In> | undefined): Promise<PutResult[]> {
    if (!Array.isArray(payloads)) throw new TypeError("putMany takes an array of payloads");
    const encoded = (payloads as readonly In[]).map((payload) => this.#encode(payload));
    // Awaited together: a second validator that refuses must not be left alone with its rejection. Nothing is awaited for nothing: that would
    // let a later put go first.
    const pending = encoded.filter((each) => each instanceof Promise);
    if (pending.length > 0) await Promise.all(pending);
    const ready: Uint8Array[] = [];
    for (const each of encoded) ready.push(each instanceof Promise ? await each : each);
    if (ready.length === 0) return [];
    const { maker } = this.#parts;
    const [common, each] = typeof options === "function" ? [undefined, options] : [options, undefined];
    const own = each && (payloads as readonly In[]).map((payload, index) => each(payload, index));
    const jobs = ready.map((bytes, index) => maker.make(bytes, own ? own[index] : common, false));
    maker.checkBatch(jobs, options !== undefined);
    return this.#putAll(jobs, own ? sessionOf(own) : common);
  }

  async #putAll(jobs: readonly NewJob[], options: PutOptions | undefined): Promise<PutResult[]> {
    options?.signal?.throwIfAborted();
    const session = options?.session ?? null;
    const store = async (): Promise<readonly PutOutcome[] | undefined> => {
      const outcomes = await this.#parts.calls.putAll(jobs, session);
      return outcomes.every(roomOrNot) ? outcomes : undefined;
    };
    const mayWait = session === null && this.#mayFit(jobs);
    const outcomes = (await store()) ?? (await this.#whenRoom(store, mayWait ? options : { timeout: 0 }));
    return jobs.map((job, index) => resultOf(job, outcomes[index]));
  }

  /** May these ever be stored together? Those with a key may turn out to be duplicates, which need no room. */
  #mayFit(jobs: readonly NewJob[]): boolean {
    return jobs.filter(({ key }) => key === null).length <= (this.#options.maxSize ?? Infinity);
  }

  #encode(payload: In): Uint8Array | Promise<Uint8Array> {
    const { calls, source } = this.#parts;
    calls.check();
    const { schema } = this.#options;
    const valid = schema === undefined ? undefined : validate(schema, payload);
    if (valid instanceof Promise) return valid.then(() => source.encode(payload, "the payload"));
    return source.encode(payload, "the payload");
  }

  /** Nothing was stored, for want of room: look again until there is some. */
  async #whenRoom<T>(store: () => Promise<T | undefined>, options: PutOptions | undefined): Promise<T> {
    const { name, maxSize, defaults } = this.#options;
    const timeout = parseDuration(options?.timeout ?? defaults.timeout ?? 0, "timeout");
    const look = { timeout, signal: options?.signal };
    const found = timeout === 0 ? undefined : await this.#parts.patience.until(store, look);
    if (found !== undefined) return found;
    throw new PqError("QUEUE_FULL", `queue "${name}" holds maxSize jobs: ${maxSize}`);
  }
}

function roomOrNot(outcome: PutOutcome): PutOutcome | undefined {
  return outcome.status === "full" ? undefined : outcome;
}

/** The one session of these options, if any: jobs that are stored all or none are of one transaction. */
function sessionOf(options: readonly (PutOptions | undefined)[]): PutOptions | undefined {
  const session = options[0]?.session;
  if (options.some((each) => each?.session !== session)) throw new TypeError("jobs of one call must be of one session");
  return session && { session };
}

function resultOf(job: NewJob, outcome: PutOutcome | undefined): PutResult {
  return outcome?.status === "duplicate" ? { id: outcome.id, status: "duplicate" } : { id: job.id, status: "added" };
}
