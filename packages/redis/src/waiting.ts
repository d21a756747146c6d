/**
 * Waiting for jobs of one queue, over one blocked connection. The head of `scripts/finish.ts` says how others wake it.
 *
 *     wait --> listen (a script) --a job is there--> end
 *                                --none--> block on `wake` --j--> end
 *                                                          --a--> listen
 *              an alarm at the next moment that something falls due --> listen, which wakes whose turn it is
 *
 * A wait that is given up leaves its connection blocked: the next wait goes on with it. A token that comes while nobody waits is
 * handed on to another process.
 */
import { systemClock, type Timer, type WaitParams } from "@pq/core/backend";
import type { Blocking } from "./blocking.ts";
import type { QueueKeys } from "./keys.ts";
import type { Script } from "./scripts/script.ts";
import { handOn, listen } from "./scripts/listen.ts";

/** Several processes know the same moment. The one that has waited longest looks at once, the others a little later, in case it died; in ms. */
const FIRST_STAGGER = 15;
const STAGGER = 8;
const MOST_STAGGERED = 8;

const JOB_TOKEN = "j";

/** What a waiter needs of the connection. */
export interface WaitingParts {
  readonly keys: QueueKeys;
  /** Tells this waiter from those of other processes. */
  readonly name: string;
  readonly run: (script: Script, keys: readonly string[], args: readonly string[]) => Promise<unknown>;
  readonly blocking: () => Blocking;
}

/** A wait under way. */
interface Wait {
  readonly until: number;
  readonly end: (error?: Error) => void;
  alarm: Timer | undefined;
}

/** One blocked connection. */
export class QueueWaiter {
  readonly #parts: WaitingParts;
  #connection: Blocking | undefined;
  #blocked = false;
  #wait: Wait | undefined;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** Is it waiting for nobody? */
  get free(): boolean {
    return this.#wait === undefined;
  }

  /** Resolve when a job may be there, the time is over or the signal aborts. Rejects when the connection is lost. One at a time. */
  wait({ timeout, signal }: WaitParams): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const giveUp = (): void => wait.end();
      const timer = systemClock.timer(timeout, giveUp);
      const wait: Wait = {
        until: systemClock.monotonic() + timeout,
        alarm: undefined,
        end: (error) => {
          if (this.#wait !== wait) return;
          this.#wait = undefined;
          timer.cancel();
          wait.alarm?.cancel();
          signal.removeEventListener("abort", giveUp);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#wait = wait;
      this.#look(wait, false);
    });
  }

  /** End the wait and the connection. */
  close(): void {
    this.#wait?.end();
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Look whether a job is there and when to look again, then block. `alarmed`: it is blocked already, and a moment has come. */
  #look(wait: Wait, alarmed: boolean): void {
    const { keys, name, run } = this.#parts;
    const left = Math.max(0, Math.ceil(wait.until - systemClock.monotonic()));
    run(listen, keys.all, [name, String(left), alarmed ? "1" : "0"]).then((found) => {
      if (this.#wait !== wait) return;
      if (found === null) return wait.end();
      const [next, others] = found as [number, number];
      this.#setAlarm(wait, next, others);
      if (!this.#blocked) this.#block(wait.until - systemClock.monotonic());
    }, wait.end);
  }

  #setAlarm(wait: Wait, next: number, others: number): void {
    wait.alarm?.cancel();
    if (next < 0) return;
    const stagger = others === 0 ? 0 : FIRST_STAGGER + STAGGER * Math.min(others, MOST_STAGGERED);
    wait.alarm = systemClock.timer(next + stagger, () => this.#look(wait, true), { background: true });
  }

  #block(ms: number): void {
    if (ms <= 0) return;
    this.#blocked = true;
    this.#connection ??= this.#parts.blocking();
    this.#connection.pop(this.#parts.keys.wake, ms).then(
      (token) => this.#unblocked(token?.toString()),
      (error: Error) => {
        this.#blocked = false;
        this.#wait?.end(error);
      },
    );
  }

  #unblocked(token: string | undefined): void {
    this.#blocked = false;
    const wait = this.#wait;
    if (wait === undefined) {
      if (token === JOB_TOKEN) this.#handOn();
    } else if (token === JOB_TOKEN) wait.end();
    else this.#look(wait, false);
  }

  /** When this fails, whoever waits looks by himself after some seconds. */
  #handOn(): void {
    const { keys, run } = this.#parts;
    run(handOn, keys.all, []).catch(() => undefined);
  }
}
