/**
 * One run of the model test: each command is turned into a call of the seam, made on the model and on the store under
 * test, and the answers are compared.
 *
 * What the contract leaves open is not compared: the order of equal times in a listing of delayed or leased jobs, how a listing is
 * cut into pages, what a repeated take shows of progress or gives when none of its jobs is leased any more, what a repeated dig or
 * delete does about jobs that it did not change at first, and counters that a crash may lose.
 */
import type { Backend, ControlParams, Counters, QueueStats } from "../../backend.ts";
import { newRequestId } from "../../id.ts";
import { type DeliveredJob, JOB_STATES, type JobId, type JobState, type RequestId, type StoredJob } from "../../job.ts";
import type { Command, LeaseSpec, Plain } from "./commands.ts";
import { type Call, Comparison, type Sides } from "./comparison.ts";
import { bytes, Ledger, newest, settlement, type Side, sortEqualTimes } from "./ledger.ts";
import { show } from "./show.ts";

interface EarlierCall {
  readonly at: number;
  readonly repeat: () => Promise<void>;
  /** A put that found no room changed nothing, so a restart may forget it. */
  refused: boolean;
  /** A dig or delete that did not change all of its jobs may change the others when it is repeated. */
  open: boolean;
}

/** What every call that changes something begins with. */
interface Base {
  readonly request: RequestId;
  readonly queue: string;
}

type Control = ControlParams extends infer P ? (P extends ControlParams ? Omit<P, keyof Base> : never) : never;

/** More pages than any listing has. */
const MANY_PAGES = 1000;

/** One run over one queue. */
export class ModelRun {
  readonly #sides: Sides;
  readonly #ledger: Ledger;
  readonly #compared: Comparison;
  #calls: EarlierCall[] = [];
  #lastPut: { readonly at: number; readonly request: RequestId } | undefined;
  /** What counters lost by crashes. */
  #lost: Partial<Counters> = {};

  constructor(sides: Sides) {
    this.#sides = sides;
    this.#ledger = new Ledger(sides.pace);
    this.#compared = new Comparison(sides, this.#ledger.names);
  }

  /** Rejects with `ModelMismatch` at the first difference, with `Undecided` when it was too slow to tell. */
  async run(commands: readonly Command[]): Promise<void> {
    for (const command of commands) await this.#do(command);
    await this.#stats();
    for (const state of JOB_STATES) await this.#list(state, 100);
    await this.#control({ type: "truncate" });
    await this.#stats();
  }

  #do(command: Command): Promise<void> {
    switch (command.type) {
      case "put":
        return this.#put(command);
      case "take":
        return this.#take(command.limit, this.#sides.pace.lasting(command.span));
      case "settle":
        return this.#settle(command.items);
      case "touch":
        return this.#touch(command.items, this.#sides.pace.lasting(command.span));
      case "kick":
        return this.#control({ type: "kick", limit: command.limit });
      case "dig":
      case "delete":
        return this.#control({ type: command.type, ids: this.#ledger.jobs(command.jobs) });
      case "find":
        return this.#find(this.#ledger.jobs(command.jobs));
      case "list":
        return this.#list(command.state, command.limit);
      case "pass":
        return this.#pass(command.span);
      case "repeat":
        return this.#repeat(command.call);
      default:
        return this.#doPlain(command.type);
    }
  }

  #doPlain(type: Plain): Promise<void> {
    switch (type) {
      case "truncate":
      case "pause":
      case "resume":
        return this.#control({ type });
      case "stats":
        return this.#stats();
      case "reopen":
        return this.#reopen();
      case "restart":
        return this.#restart();
    }
  }

  // ---- calls that change something --------------------------------------------------------------------------------

  async #put({ jobs: specs, maxSize, partial, chained }: Command & { readonly type: "put" }): Promise<void> {
    const again = specs.flatMap((spec) => (spec.again === null ? [] : [spec.again]));
    const used = this.#ledger.jobs(again);
    const jobs = specs.map((spec) => this.#ledger.newJob(spec, spec.again === null ? undefined : used.shift()));
    const after = chained && this.#isRepeatable(this.#lastPut) ? this.#lastPut.request : null;
    const params = { ...this.#base(), after, jobs, maxSize, partial, transaction: null };
    this.#lastPut = { at: this.#sides.pace.clock.now(), request: params.request };
    await this.#change("put", params, (backend) => backend.put(params));
  }

  #settle(specs: readonly LeaseSpec[]): Promise<void> {
    const items = this.#ledger.proofs(specs).map(({ spec, lease }) => {
      const delay = spec.delay === null ? 0 : this.#sides.pace.lasting(spec.delay);
      return (side: Side) => settlement(spec, delay, { id: lease.id, fence: lease[side] });
    });
    const base = this.#base();
    const params = (side: Side) => ({ ...base, items: items.map((item) => item(side)) });
    return this.#change("settle", params("store"), (backend, side) => backend.settle(params(side)));
  }

  #touch(specs: readonly LeaseSpec[], lasting: number): Promise<void> {
    const items = this.#ledger.proofs(specs).map(({ spec, lease }) => {
      const progress = bytes(spec.bytes);
      return (side: Side) => ({ id: lease.id, fence: lease[side], lease: lasting, progress });
    });
    const base = this.#base();
    const params = (side: Side) => ({ ...base, items: items.map((item) => item(side)) });
    return this.#change("touch", params("store"), (backend, side) => backend.touch(params(side)));
  }

  #control(what: Control): Promise<void> {
    const params: ControlParams = { ...what, ...this.#base() };
    return this.#change("control", params, (backend) => backend.control(params));
  }

  /** Make a call that may be repeated later, and compare the answers as they are. */
  async #change(name: string, params: object, call: Call<unknown>): Promise<void> {
    const run = (label: string): Promise<void> =>
      this.#compared.both(label, params, call, (model, store) => {
        this.#compared.expect(model, store);
        earlier.refused = isRefused(model);
        earlier.open = isOpen(model);
      });
    const earlier = this.#remember(() => run(`${name} again`));
    await run(name);
  }

  async #take(limit: number, lease: number): Promise<void> {
    const params = { ...this.#base(), limit, lease };
    let given: readonly DeliveredJob[] = [];
    const run = (label: string): Promise<void> =>
      this.#compared.both(
        label,
        params,
        (backend) => backend.take(params),
        (model, store) => {
          given = model;
          this.#expectDeliveries(model, store, label === "take again");
        },
      );
    this.#remember(async () => {
      if (given.length === 0 || (await this.#isLeased(given))) await run("take again");
    });
    await run("take");
  }

  #expectDeliveries(model: readonly DeliveredJob[], store: readonly DeliveredJob[], again: boolean): void {
    const plain = (job: DeliveredJob): object => ({
      ...this.#ledger.plainDelivery(job),
      ...(again && { progress: null }),
    });
    this.#compared.expect(model.map(plain), store.map(plain));
    for (const [index, job] of store.entries()) {
      const wrong = this.#ledger.delivered(model[index] ?? job, job);
      if (wrong === undefined) continue;
      throw this.#compared.failure(`wrong fence: ${show(job.id, this.#ledger.names)} came with ${wrong}`);
    }
  }

  /** Is one of these deliveries still the newest of its job, and leased? */
  async #isLeased(given: readonly DeliveredJob[]): Promise<boolean> {
    const { jobs } = await this.#sides.model.read({ queue: this.#sides.queue, ids: given.map(({ id }) => id) });
    return jobs.some(
      ({ id, state, fence }) => state === "leased" && given.some((job) => job.id === id && job.fence === fence),
    );
  }

  #remember(repeat: () => Promise<void>): EarlierCall {
    const call = { at: this.#sides.pace.clock.now(), repeat, refused: false, open: false };
    this.#calls.push(call);
    return call;
  }

  async #repeat(back: number): Promise<void> {
    const call = newest(this.#calls, back);
    if (this.#isRepeatable(call) && !call.open) await call.repeat();
  }

  /** Does the store remember this call for sure? */
  #isRepeatable<C extends { readonly at: number }>(call: C | undefined): call is C {
    return call !== undefined && this.#sides.pace.clock.now() - call.at < this.#sides.repeatable;
  }

  // ---- calls that look --------------------------------------------------------------------------------------------

  #find(ids: readonly JobId[]): Promise<void> {
    const params = { queue: this.#sides.queue, ids };
    const find = async (backend: Backend, side: Side): Promise<object> => {
      const { jobs, cursor } = await backend.read(params);
      return { cursor, jobs: jobs.map((job) => this.#ledger.plainJob(job, side)) };
    };
    return this.#compared.both("read", params, find, (model, store) => this.#compared.expect(model, store));
  }

  #list(state: JobState, limit: number): Promise<void> {
    const list = async (backend: Backend, side: Side): Promise<object[]> => {
      const jobs = await readAll(backend, this.#sides.queue, state, limit);
      const listed = state === "delayed" || state === "leased" ? sortEqualTimes(jobs, this.#sides.pace) : jobs;
      return listed.map((job) => this.#ledger.plainJob(job, side));
    };
    return this.#compared.both("read all", { state, limit }, list, (model, store) =>
      this.#compared.expect(model, store),
    );
  }

  #stats(): Promise<void> {
    const stats = (backend: Backend): Promise<QueueStats> => backend.stats(this.#sides.queue);
    return this.#compared.both("stats", {}, stats, (model, store) => {
      const counters = mapCounters(store.counters, (name, count) => count + (this.#lost[name] ?? 0));
      this.#compared.expect(model, { ...store, counters });
    });
  }

  // ---- what happens to the store ----------------------------------------------------------------------------------

  async #pass(span: number): Promise<void> {
    const before = this.#sides.pace.clock.now();
    await this.#sides.pace.pass(span);
    this.#compared.note(`pass ${this.#sides.pace.clock.now() - before} ms`);
  }

  async #reopen(): Promise<void> {
    this.#compared.note("close and open");
    for (const backend of this.#sides.store) {
      await backend.close();
      await backend.open({ report: () => undefined });
    }
    this.#sides.pace.check();
  }

  /** A crash may lose the last counts: what is missing right after it is not missed later. */
  async #restart(): Promise<void> {
    this.#compared.note("restart");
    await this.#sides.restart();
    this.#calls = this.#calls.filter(({ refused }) => !refused);
    this.#lastPut = undefined;
    this.#compared.mayReject = true;
    const stats = (backend: Backend): Promise<QueueStats> => backend.stats(this.#sides.queue);
    await this.#compared.both("stats", {}, stats, (model, store) => {
      const lost = mapCounters(model.counters, (name, count) => Math.max(0, count - store.counters[name]));
      this.#lost = lost;
      this.#compared.expect(model, {
        ...store,
        counters: mapCounters(store.counters, (name, count) => count + lost[name]),
      });
    });
  }

  #base(): Base {
    return { request: newRequestId(), queue: this.#sides.queue };
  }
}

/** Is this the answer to a put none of whose jobs found room? */
function isRefused(answer: unknown): boolean {
  const isFull = (one: unknown): boolean =>
    typeof one === "object" && one !== null && "status" in one && one.status === "full";
  return Array.isArray(answer) && answer.length > 0 && answer.every(isFull);
}

/** Is this the answer to a dig or delete that did not change all of its jobs? */
function isOpen(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("outcomes" in answer)) return false;
  return Array.isArray(answer.outcomes) && answer.outcomes.some((outcome) => outcome !== "done");
}

function mapCounters(counters: Counters, change: (name: keyof Counters, count: number) => number): Counters {
  const entries = Object.entries(counters) as [keyof Counters, number][];
  return Object.fromEntries(entries.map(([name, count]) => [name, change(name, count)])) as unknown as Counters;
}

/** All jobs of a state, page by page. */
async function readAll(backend: Backend, queue: string, state: JobState, limit: number): Promise<StoredJob[]> {
  const all: StoredJob[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MANY_PAGES; pages++) {
    const page = await backend.read({ queue, state, limit, cursor });
    if (page.jobs.length > limit) throw new Error(`a page of ${page.jobs.length} jobs instead of ${limit}`);
    all.push(...page.jobs);
    cursor = page.cursor;
    if (cursor === null) return all;
  }
  throw new Error("the pages do not come to an end");
}
