/**
 * Completes jobs with what the log knows of them, and puts those aside whose records are damaged.
 *
 * A job that the disk cannot read (EIO) is left out and stays: the disk may be well again. One that was to be delivered keeps its
 * lease, so it holds up nobody, comes back when that ends, and is buried when its attempts do.
 */
import type { QueueState } from "@pq/core/state";
import { writeDrop } from "./calls/queue-record.ts";
import type { Damage } from "./damage.ts";
import type { FrameWriter } from "./frame.ts";
import { type LoggedJob, type LogPlace, type PayloadReader, UNREADABLE, type Unreadable } from "./payload-reader.ts";
import type { View } from "./views.ts";

/** What the loader works with. */
export interface LoaderParts {
  readonly reader: PayloadReader;
  readonly damage: Damage;
  /** Runs a step that takes effect at once, and resolves when its record is on disk. */
  readonly write: (queue: QueueState, write: (frames: FrameWriter) => void) => Promise<void>;
}

/** Loads jobs. */
export class JobLoader {
  readonly #parts: LoaderParts;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
  }

  /** The jobs, in their order. Those that are damaged are put aside, and those that are gone by now or cannot be read left out. */
  async load<T>(queue: QueueState, views: readonly View<T>[]): Promise<T[]> {
    const found = await this.#parts.reader.read(views.map(({ place }) => place));
    const loaded: T[] = [];
    for (const [index, view] of views.entries()) {
      const logged = found[index] ?? (await this.#lookAgain(queue, view));
      if (logged === UNREADABLE) this.#tellUnreadable(queue, view.place);
      else if (logged !== undefined) loaded.push(view.complete(logged));
    }
    return loaded;
  }

  /** A job whose record is damaged cannot be given to anybody: it leaves the queue, so that it harms no other. */
  async drop(queue: QueueState, slot: number): Promise<void> {
    const words = queue.jobs.table.id(slot, new Int32Array(4));
    const place = placeOf(queue, slot);
    const bytes = await this.#parts.reader.readRaw(place);
    if (queue.jobs.find(words) !== slot || !isSame(placeOf(queue, slot), place)) return;
    if (bytes === UNREADABLE) {
      this.#tellUnreadable(queue, place);
      return;
    }
    const written = this.#parts.write(queue, (frames) => {
      writeDrop(queue, [words], queue.time, frames);
      queue.remove(slot);
    });
    const what = "the record of a job was damaged; the job was put aside";
    const both = [written, this.#parts.damage.putAside(place, bytes, what, queue.name)];
    await Promise.allSettled(both);
    await Promise.all(both);
  }

  #tellUnreadable({ name }: QueueState, { segment, offset }: LogPlace): void {
    const where = `segment ${segment}, offset ${offset}`;
    this.#parts.damage.report("the disk cannot read a job; it stays where it is", where, name);
  }

  /** The record was not where it was: compaction has moved it, the job is gone, or it is damaged. */
  async #lookAgain<T>(queue: QueueState, view: View<T>): Promise<LoggedJob | Unreadable | undefined> {
    for (let { place } = view; ;) {
      const slot = queue.jobs.find(view.words);
      if (slot < 0) return undefined;
      const now = placeOf(queue, slot);
      if (isSame(now, place)) {
        await this.drop(queue, slot);
        return undefined;
      }
      place = now;
      const [logged] = await this.#parts.reader.read([place]);
      if (logged !== undefined) return logged;
    }
  }
}

function placeOf({ jobs: { table } }: QueueState, slot: number): LogPlace {
  return { segment: table.piece(slot), offset: table.offset(slot), size: table.size(slot) };
}

function isSame(a: LogPlace, b: LogPlace): boolean {
  return a.segment === b.segment && a.offset === b.offset;
}
