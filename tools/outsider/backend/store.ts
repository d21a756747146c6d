/** The queues of a server, its clock, and the log behind them. */
import type { Guarantees, QueueStats, ReadParams, ReadResult } from "@pq/core/backend";
import { Log } from "./log.ts";
import { read, stats } from "./look.ts";
import type { Change } from "./protocol.ts";
import { JobQueue } from "./queue.ts";
import { apply } from "./transitions.ts";

export const guarantees: Guarantees = { durability: "process", store: "tcpstore 1", warnings: [] };

export class Store {
  readonly #queues = new Map<string, JobQueue>();
  readonly #log: Log;
  #now = 0;

  constructor(path: string) {
    this.#log = new Log(path, ({ at, change }) => {
      this.#now = Math.max(this.#now, at);
      this.#run(change, at);
    });
  }

  /** The time of the machine, except that it never goes back, also not over a restart. */
  now(): number {
    return (this.#now = Math.max(this.#now, Date.now()));
  }

  /** One atomic step: in the file before it is answered. When it cannot be written, this throws and memory is ahead of the file. */
  change(change: Change): unknown {
    const at = this.now();
    const { answer, changed } = this.#run(change, at);
    if (changed) this.#log.append({ at, change });
    return answer;
  }

  read(params: ReadParams): ReadResult {
    return read(this.#upToDate(params.queue), params);
  }

  stats(queue: string): QueueStats {
    return stats(this.#upToDate(queue));
  }

  /** The queues that ever had a job. */
  queues(): string[] {
    return [...this.#queues].flatMap(([name, { counters }]) => (counters.put > 0 ? name : []));
  }

  /** How many jobs of the queue could be taken, as far as anybody has looked. */
  available(queue: string): number {
    return this.#queues.get(queue)?.available ?? 0;
  }

  /** Let happen what is due, and tell when something may happen next. */
  catchUp(queue: string): number | undefined {
    return this.#upToDate(queue).agenda.first?.alarm;
  }

  /** A queue that is not known is made for this call, and stays only if something is stored in it. */
  #queue(name: string): JobQueue {
    return this.#queues.get(name) ?? new JobQueue();
  }

  #upToDate(name: string): JobQueue {
    const queue = this.#queue(name);
    queue.catchUp(this.now());
    return queue;
  }

  #run(change: Change, at: number): { readonly answer: unknown; readonly changed: boolean } {
    const name = change.params.queue;
    const queue = this.#queue(name);
    const result = apply(queue, change, at);
    if (result.changed) this.#queues.set(name, queue);
    return result;
  }
}
