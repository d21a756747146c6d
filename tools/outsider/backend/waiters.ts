/**
 * Who waits for the jobs of which queue. n new jobs wake n waiters, the longest waiting first. A wake-up is a piece of news for
 * one waiter, and must not get lost with it: when it hangs up, or cancels at the moment it is woken, somebody else is told.
 */
export interface Waiter {
  readonly queue: string;
  /** The connection that waits, and the number of the request by which it does. */
  readonly owner: object;
  readonly id: number;
  readonly answer: () => void;
}

export class Waiters {
  readonly #queues = new Map<string, Map<Waiter, NodeJS.Timeout>>();
  /** The queues of which a connection has news that it may not have used yet. */
  readonly #news = new WeakMap<object, Set<string>>();

  count(queue: string): number {
    return this.#queues.get(queue)?.size ?? 0;
  }

  add(waiter: Waiter, timeout: number): void {
    const timer = setTimeout(() => this.#end(waiter), Math.min(timeout, 2 ** 31 - 1));
    const waiting = this.#queues.get(waiter.queue) ?? new Map<Waiter, NodeJS.Timeout>();
    this.#queues.set(waiter.queue, waiting.set(waiter, timer));
    this.#news.get(waiter.owner)?.delete(waiter.queue);
  }

  wake(queue: string, count: number): void {
    if (count <= 0) return;
    for (const waiter of [...(this.#queues.get(queue)?.keys() ?? [])].slice(0, count)) {
      const news = this.#news.get(waiter.owner) ?? new Set();
      this.#news.set(waiter.owner, news.add(queue));
      this.#end(waiter);
    }
  }

  /** Ends one wait. `false`: it had ended before. */
  cancel(owner: object, queue: string, id: number): boolean {
    const waiter = [...(this.#queues.get(queue)?.keys() ?? [])].find((each) => each.owner === owner && each.id === id);
    if (waiter !== undefined) this.#end(waiter);
    return waiter !== undefined;
  }

  /** Forget a connection. Gives the queues of which it took news with it. */
  hangUp(owner: object): Iterable<string> {
    const waiters = [...this.#queues.values()].flatMap((waiting) => [...waiting.keys()]);
    for (const waiter of waiters) if (waiter.owner === owner) this.#end(waiter);
    return this.#news.get(owner) ?? [];
  }

  #end(waiter: Waiter): void {
    const waiting = this.#queues.get(waiter.queue);
    clearTimeout(waiting?.get(waiter));
    waiting?.delete(waiter);
    if (waiting?.size === 0) this.#queues.delete(waiter.queue);
    waiter.answer();
  }
}
