import { errorMessage } from "./failure.ts";
import type { JobId } from "./job.ts";

/** What failed, and with which job if with one. */
export interface ErrorEvent {
  readonly error: unknown;
  readonly jobId?: JobId;
}

/** Tells of errors that no call can report: to those who listen, else once by a process warning, since nothing may fail in silence. */
export class ErrorReporter {
  readonly #emit: (event: ErrorEvent) => boolean;
  readonly #who: string;
  #warned = false;

  /** `emit` answers whether anybody listens; `who` is for the warning, such as `queue "mail"`. */
  constructor(emit: (event: ErrorEvent) => boolean, who: string) {
    this.#emit = emit;
    this.#who = who;
  }

  report(error: unknown, jobId?: JobId): void {
    const heard = this.#emit({ error, ...(jobId !== undefined && { jobId }) });
    if (heard || this.#warned) return;
    this.#warned = true;
    const message = `${this.#who} goes on after: ${errorMessage(error)} (listen to its "error" events for more)`;
    process.emitWarning(message, { type: "PqWarning", code: "PQ_ERROR" });
  }
}
