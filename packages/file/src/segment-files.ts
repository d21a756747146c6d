/** Segments opened for reading: a few at a time, each closed when the last reader is through. */
import { closeFile, openFile } from "./files.ts";
import type { Layout } from "./layout.ts";

const MOST_OPEN = 32;

interface OpenFile {
  readonly fd: Promise<number>;
  readers: number;
  leaving: boolean;
}

/** The read side of the log's files. */
export class SegmentFiles {
  readonly #layout: Layout;
  readonly #open = new Map<number, OpenFile>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Work with the open segment. Rejects with the system's error when it cannot be opened. */
  async use<T>(segment: number, work: (fd: number) => Promise<T>): Promise<T> {
    const file = this.#get(segment);
    file.readers++;
    try {
      return await work(await file.fd);
    } finally {
      file.readers--;
      if (file.leaving) await this.#closeIfUnused(file);
    }
  }

  /** The segment is going to be removed. */
  async drop(segment: number): Promise<void> {
    const file = this.#open.get(segment);
    if (file === undefined) return;
    this.#open.delete(segment);
    file.leaving = true;
    await this.#closeIfUnused(file);
  }

  /** Close all. */
  async close(): Promise<void> {
    for (const segment of this.#open.keys()) await this.drop(segment);
  }

  #get(segment: number): OpenFile {
    let file = this.#open.get(segment);
    if (file === undefined) {
      file = { fd: openFile(this.#layout.segment(segment), "r"), readers: 0, leaving: false };
      file.fd.catch(() => this.#open.delete(segment));
      this.#open.set(segment, file);
      this.#trim(segment);
    }
    return file;
  }

  /** Let the one go that has been open longest. */
  #trim(newest: number): void {
    if (this.#open.size <= MOST_OPEN) return;
    for (const segment of this.#open.keys()) {
      if (segment === newest) continue;
      this.drop(segment).catch(() => undefined);
      return;
    }
  }

  async #closeIfUnused(file: OpenFile): Promise<void> {
    if (file.readers > 0) return;
    const fd = await file.fd.catch(() => undefined);
    if (fd !== undefined) await closeFile(fd);
  }
}
