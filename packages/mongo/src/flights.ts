/** What is under way. */
import { sleep, systemClock } from "@pq/core/backend";

/** Commands in flight. */
export class Flights {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** One begins; the function that is returned says that it has ended. */
  begin(): () => void {
    this.#count++;
    return () => {
      this.#count--;
      if (this.#count === 0) for (const wake of this.#waiting) wake();
    };
  }

  /** Resolves once none is in flight, and none has followed an ended one at once. */
  async landed(): Promise<void> {
    do {
      if (this.#count > 0) await this.#none();
      await sleep(systemClock, 0);
    } while (this.#count > 0);
  }

  #none(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}

/** What the promise gives; `undefined` when it has not settled within so many ms. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.timer(ms, () => resolve(undefined));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
