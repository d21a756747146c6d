/** What gathers for one write of the log. */
import type { PqError } from "@pq/core/backend";
import { FrameWriter } from "./frame.ts";

/** One entry of the log. */
export interface Entry {
  /** May it fail alone when the disk is full? Nobody has seen its effect then. */
  readonly shed?: boolean;
  /** Is it enough that it survives the process? A group of such entries alone is written without a sync. */
  readonly lazy?: boolean;
  /** It is on disk; its group's first byte stands at this place. Must not throw. */
  done(segment: number, base: number): void;
  /** It is not (`UNAVAILABLE`), or nobody knows (`OUTCOME_UNKNOWN`). Must not throw. */
  failed(error: PqError): void;
}

/** Entries, and their frames one after the other. */
export class Group {
  readonly frames: FrameWriter;
  /** Begins a new segment. */
  readonly rolls: boolean;
  readonly #entries: { readonly entry: Entry; readonly start: number; readonly end: number }[] = [];

  constructor(frames: FrameWriter = new FrameWriter(), rolls = false) {
    this.frames = frames;
    this.rolls = rolls;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get isLazy(): boolean {
    return !this.rolls && this.#entries.every(({ entry }) => entry.lazy === true);
  }

  /** Add an entry, written by `write`; nothing of it when that throws. */
  add<T>(entry: Entry, write: (frames: FrameWriter) => T): T {
    const start = this.frames.length;
    try {
      const result = write(this.frames);
      this.#entries.push({ entry, start, end: this.frames.length });
      return result;
    } catch (error) {
      this.frames.out.cut(start);
      throw error;
    }
  }

  done(segment: number, base: number): void {
    for (const { entry } of this.#entries) entry.done(segment, base);
  }

  fail(error: PqError): void {
    for (const { entry } of this.#entries) entry.failed(error);
  }

  /** Fail what may be shed; the rest as a group of its own, for the segment as it is. */
  shed(error: PqError): Group {
    const kept = new Group();
    for (const { entry, start, end } of this.#entries) {
      if (entry.shed === true) entry.failed(error);
      else kept.add(entry, (frames) => frames.out.bytes(this.frames.out.written.subarray(start, end)));
    }
    return kept;
  }
}
