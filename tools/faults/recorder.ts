/** Writes a history, each line at once: what was written survives the death of the process. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Event } from "./event.ts";

/** The history of one process. */
export class Recorder {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  write(event: Event): void {
    writeSync(this.#file, `${JSON.stringify(event)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
