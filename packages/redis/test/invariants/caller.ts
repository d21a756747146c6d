/** Makes the calls of a sequence, keeps them for a repetition, and counts what they are answered. */
import {
  type Backend,
  type ControlParams,
  type ControlResult,
  type JobId,
  type LeaseProof,
  type NewJob,
  newRequestId,
  type RequestId,
  type Settlement,
  systemClock,
  type Touch,
} from "@pq/core/backend";

/** Answers are kept for so many ms at least, also with small limits. */
const KEPT = 200;

/** A call that can be made again. */
interface Call {
  readonly name: string;
  readonly at: number;
  /** How many answers were kept before. */
  readonly number: number;
  readonly answer: unknown;
  readonly make: () => Promise<unknown>;
}

/** What a repetition was answered, and at first. */
export interface Repetition {
  readonly answer: unknown;
  readonly first: unknown;
}

type Command = ControlParams extends infer P ? (P extends ControlParams ? Omit<P, "request" | "queue"> : never) : never;

/** The calls on one queue. */
export class Caller {
  readonly #backend: Backend;
  readonly #queue: string;
  /** How many answers are kept at least. */
  readonly #generation: number;
  readonly #made: Call[] = [];
  readonly #fences = new Set<number>();
  readonly #counted = new Map<string, number>();
  #answers = 0;
  /** When the last answer came. */
  #last = 0;
  /** The calls, for messages. */
  readonly log: string[] = [];
  /** Leases that were given out and not settled, the oldest first; they may be over. */
  held: LeaseProof[] = [];

  constructor(backend: Backend, queue: string, generation: number) {
    this.#backend = backend;
    this.#queue = queue;
    this.#generation = generation;
  }

  /** What was answered by counter: so many jobs were put, taken, acked, …. */
  get counted(): ReadonlyMap<string, number> {
    return this.#counted;
  }

  async put(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): Promise<void> {
    const outcomes = await this.#call("put", { after: null, jobs, maxSize, partial, transaction: null }, (params) =>
      this.#backend.put(params),
    );
    for (const { status } of outcomes) if (status !== "full") this.#count(status === "added" ? "put" : status);
  }

  async take(limit: number, lease: number): Promise<void> {
    this.#hold(await this.#call("take", { limit, lease }, (params) => this.#backend.take(params)));
  }

  /** The ids of those whose lease was over. */
  async settle(items: readonly Settlement[]): Promise<JobId[]> {
    if (items.length === 0) return [];
    const outcomes = await this.#call("settle", { items }, (params) => this.#backend.settle(params));
    for (const [at, { type }] of items.entries()) if (outcomes[at] !== "lost") this.#count(type);
    return items.filter((_, at) => outcomes[at] === "lost").map(({ id }) => id);
  }

  async touch(items: readonly Touch[]): Promise<void> {
    if (items.length === 0) return;
    const outcomes = await this.#call("touch", { items }, (params) => this.#backend.touch(params));
    this.#count("touch", outcomes.filter(Boolean).length);
  }

  async control(command: Command): Promise<void> {
    // A kick may take many steps, each with an answer.
    if (command.type === "kick") this.#answers += command.limit;
    const make = (params: { request: RequestId; queue: string }): Promise<ControlResult> =>
      this.#backend.control({ ...params, ...command });
    const { count } = await this.#call(command.type, command, make);
    this.#count(command.type === "truncate" ? "delete" : command.type, count);
  }

  /** Make the call so many back once more, if its answer is surely kept. A take may be answered anew. */
  async again(back: number): Promise<Repetition | undefined> {
    const call = this.#made.at(-1 - back);
    // Only calls end a generation, so no time counts after the last.
    const isKept = call && this.#answers - call.number < this.#generation && this.#last - call.at < KEPT;
    if (!isKept) return undefined;
    this.log.push(`again ${call.name}`);
    const answer = await call.make();
    this.#answers++;
    this.#last = systemClock.monotonic();
    if (call.name !== "take") return { answer, first: call.answer };
    this.#hold(answer as LeaseProof[]);
    return undefined;
  }

  async #call<P extends object, R>(
    name: string,
    some: P,
    make: (params: P & { request: RequestId; queue: string }) => Promise<R>,
  ): Promise<R> {
    this.log.push(`${name} ${JSON.stringify(some).slice(0, 300)}`);
    const params = { ...some, request: newRequestId(), queue: this.#queue };
    const at = systemClock.monotonic();
    const answer = await make(params);
    this.#last = systemClock.monotonic();
    this.#made.push({ name, at, number: this.#answers++, answer, make: () => make(params) });
    return answer;
  }

  /** A take that is repeated may give the same leases. */
  #hold(jobs: readonly LeaseProof[]): void {
    const fences = new Set(jobs.map(({ fence }) => fence));
    for (const fence of fences) if (!this.#fences.has(fence)) this.#count("take", jobs.length);
    for (const fence of fences) this.#fences.add(fence);
    this.held.push(...jobs.map(({ id, fence }) => ({ id, fence })));
  }

  #count(counter: string, jobs = 1): void {
    this.#counted.set(counter, (this.#counted.get(counter) ?? 0) + jobs);
  }
}
