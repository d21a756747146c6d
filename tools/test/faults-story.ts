/** Histories made by hand, for the tests of the checks. */
import { check } from "../faults/check/index.ts";
import { CONDUCTOR, historyOf } from "../faults/check/history.ts";
import type { Bounds } from "../faults/check/run.ts";
import type { Violation } from "../faults/check/violation.ts";
import type { End, Event, How, Outcome, Present, PutJob } from "../faults/event.ts";

/** What the stories are held to. */
export const BOUNDS: Bounds = { recovery: 10_000, exactCounters: true };

/** A history in the making. All processes end well; the store counts what was accepted and acked, unless a case says otherwise. */
export class Story {
  readonly #session: number | undefined;
  readonly #lines = new Map<string, Event[]>([[CONDUCTOR, []]]);
  readonly #killed = new Set<string>();
  readonly #counters: Record<string, number> = { put: 0, ack: 0 };
  readonly #states: Record<string, number> = {};
  #calls = 0;

  /** `session`: leases are tied to sessions, which last so long without a sign of their process. */
  constructor(session?: number) {
    this.#session = session;
  }

  /** Lines of a process. */
  write(process: string, ...events: readonly Event[]): this {
    const lines = this.#lines.get(process) ?? [];
    this.#lines.set(process, [...lines, ...events]);
    return this;
  }

  conduct(...events: readonly Event[]): this {
    return this.write(CONDUCTOR, ...events);
  }

  put(jobs: readonly PutJob[], at: number, end: Partial<End> | null = {}, process = "producer"): this {
    const call = ++this.#calls;
    this.write(process, { type: "put", at, call, deadline: 1000, jobs });
    if (end === null) return this;
    this.write(process, { type: "end", at: at + 10, call, outcome: "ok", ...end });
    if ((end.outcome ?? "ok") === "ok") this.count("put", jobs.length - Object.keys(end.duplicates ?? {}).length);
    return this;
  }

  deliver(
    id: string,
    fence: number,
    at: number,
    more: {
      readonly attempt?: number;
      readonly process?: string;
      readonly until?: number;
      readonly held?: boolean;
      readonly sound?: boolean;
    } = {},
  ): this {
    const { attempt = fence, process = "worker", until = 0, held = true, sound = true } = more;
    return this.write(process, { type: "deliver", at, id, fence, attempt, maxAttempts: 3, sound, held, until });
  }

  hold(id: string, fence: number, at: number, process = "worker"): this {
    return this.write(process, { type: "hold", at, id, fence });
  }

  settle(
    id: string,
    fence: number,
    at: number,
    {
      how = "ack",
      outcome = "ok",
      delay = 0,
    }: { readonly how?: How; readonly outcome?: Outcome; readonly delay?: number } = {},
  ): this {
    const call = ++this.#calls;
    this.write("worker", { type: "settle", at, call, deadline: 1000, id, fence, how, delay });
    this.write("worker", { type: "end", at: at + 10, call, outcome });
    if (how === "ack" && outcome === "ok") this.count("ack", 1);
    return this;
  }

  /** It is in the store at the end. */
  remains(id: string, more: Partial<Present> = {}): this {
    const job: Present = {
      type: "present",
      at: 9000,
      id,
      state: "buried",
      attempt: 3,
      maxAttempts: 3,
      buryReason: "failed",
      ...more,
    };
    this.#states[job.state] = (this.#states[job.state] ?? 0) + 1;
    return this.conduct(job);
  }

  /** The store has counted so many more. */
  count(counter: string, n: number): this {
    this.#counters[counter] = (this.#counters[counter] ?? 0) + n;
    return this;
  }

  killed(process: string): this {
    this.#killed.add(process);
    return this;
  }

  violations(bounds: Bounds = BOUNDS): readonly Violation[] {
    this.conduct({ type: "totals", at: 9500, states: this.#states, counters: this.#counters });
    for (const process of this.#lines.keys()) {
      if (process !== CONDUCTOR && !this.#killed.has(process)) this.write(process, { type: "bye", at: 9000 });
    }
    const lines = [...this.#lines].map(([process, events]) => ({ process, events }));
    return check(historyOf(lines, this.#session), bounds);
  }

  /** The rules that were violated, each once. */
  broken(): readonly string[] {
    return [...new Set(this.violations().map(({ rule }) => rule))];
  }
}
