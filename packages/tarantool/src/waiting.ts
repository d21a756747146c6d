/**
 * Waiting for jobs of a queue: a call that the server answers when a job may be there. It shares the connection with all other calls.
 *
 * A wait that ends before its answer tells the server so. If a job had been meant for it, somebody else is told of that.
 */
import { newRequestId, sleep, systemClock, type WaitParams } from "@pq/core/backend";
import { requestBytes } from "./bytes.ts";
import type { Link } from "./link.ts";

/** The server has enough who wait: look again after so many ms. */
const PAUSE = 200;

const READY = 1;
const TOO_MANY = 2;

/** The waits of one backend. */
export class Waiting {
  readonly #link: Link;
  readonly #running = new Set<AbortController>();

  constructor(link: Link) {
    this.#link = link;
  }

  /** The seam's `wait`. */
  async wait({ queue, timeout, signal }: WaitParams): Promise<void> {
    if (signal.aborted) return;
    const over = new AbortController();
    this.#running.add(over);
    const either = AbortSignal.any([signal, over.signal]);
    try {
      await this.#ask(queue, timeout, either);
    } finally {
      this.#running.delete(over);
    }
  }

  /** Everybody goes home. */
  close(): void {
    for (const over of this.#running) over.abort();
  }

  async #ask(queue: string, timeout: number, signal: AbortSignal): Promise<void> {
    const token = requestBytes(newRequestId());
    let isOver = false;
    const answer = this.#link.call({ method: "wait", args: [queue, token, timeout], changes: false, extra: timeout });
    const told = answer.then(async ([found]) => {
      if (isOver && found === READY) await this.#tell("hand_on", queue);
      else if (!isOver && found === TOO_MANY) await sleep(systemClock, Math.min(PAUSE, timeout), signal);
    });
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    try {
      await Promise.race([told, aborted]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      isOver = true;
      told.catch(() => undefined);
      if (signal.aborted) await this.#tell("stop_waiting", queue, token);
    }
  }

  /** It is of no consequence when this fails: who waits looks by himself after some seconds. */
  async #tell(method: string, ...args: readonly (string | Buffer)[]): Promise<void> {
    this.#link.call({ method, args, changes: false }).catch(() => undefined);
  }
}
