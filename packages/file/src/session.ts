/** An open folder: the running store, and its end. */
import type { Guarantees } from "@pq/core/backend";
import type { FolderLock } from "./lock.ts";
import type { Log } from "./log.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { Store } from "./store.ts";

/** What is open. */
export interface SessionParts {
  readonly store: Store;
  readonly guarantees: Guarantees;
  readonly lock: FolderLock;
  readonly log: Log;
  readonly files: SegmentFiles;
  /** Ends work in the background. */
  readonly stopTidying: () => Promise<void>;
  /** Writes a checkpoint of everything, while nothing else runs. */
  readonly checkpoint: () => Promise<void>;
}

/** One opening of a folder. */
export class Session {
  readonly store: Store;
  readonly guarantees: Guarantees;
  readonly #parts: SessionParts;
  readonly #running = new Set<Promise<void>>();

  constructor(parts: SessionParts) {
    this.store = parts.store;
    this.guarantees = parts.guarantees;
    this.#parts = parts;
  }

  /** Note a call, so that closing can wait for it. */
  track<T>(call: Promise<T>): Promise<T> {
    const end = (): void => {
      this.#running.delete(running);
    };
    const running = call.then(end, end);
    this.#running.add(running);
    return call;
  }

  /** Let the calls in flight end, write down where everything is, and give the folder free. */
  async close(): Promise<void> {
    const { store, log, stopTidying, checkpoint } = this.#parts;
    store.stopWaiting();
    await Promise.all(this.#running);
    await stopTidying();
    try {
      store.note();
      await log.idle();
      await log.sync();
      if (!log.broken && !log.full) await checkpoint().catch(() => undefined);
    } finally {
      await this.#release();
    }
  }

  /** Give the folder free as it is. */
  async crash(): Promise<void> {
    this.store.stopWaiting();
    const tidying = this.#parts.stopTidying();
    await this.#release();
    await tidying;
  }

  async #release(): Promise<void> {
    const { log, files, lock } = this.#parts;
    await log.stop();
    await files.close();
    await lock.release();
  }
}
