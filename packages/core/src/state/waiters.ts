/** Those who wait for a job of a queue, longest waiting first, and the one timer that looks again when time makes a job ready. */
import type { Clock, Timer } from "../clock.ts";

/** The waiters of one queue. */
export class Waiters {
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock;
  readonly #look: () => void;
  #alarm: Timer | undefined;
  #alarmAt: number | null = null;

  /** `look` is called when the moment has come that was given to `expect`. */
  constructor(clock: Clock, look: () => void) {
    this.#clock = clock;
    this.#look = look;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when woken, when `timeout` ms are over, or when `signal` aborts. */
  async wait(timeout: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || timeout <= 0) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        this.#waiting.delete(finish);
        timer.cancel();
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = this.#clock.timer(timeout, finish);
      signal.addEventListener("abort", finish, { once: true });
      this.#waiting.add(finish);
    });
    if (this.#waiting.size === 0) this.expect(null);
  }

  /** Wake so many. */
  wake(count: number): void {
    let left = count;
    for (const finish of this.#waiting) {
      if (left-- <= 0) return;
      finish();
    }
  }

  /** The next moment at which time makes a job ready; `null`: none that anybody waits for. */
  expect(moment: number | null): void {
    const at = this.#waiting.size === 0 ? null : moment;
    if (at === this.#alarmAt) return;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#alarmAt = at;
    if (at === null) return;
    const fire = (): void => {
      this.#alarmAt = null;
      this.#look();
    };
    this.#alarm = this.#clock.timer(Math.max(1, at - this.#clock.now()), fire, { background: true });
  }
}
