/** The records of jobs, read from the bodies of entries. What was read or written lately is kept, up to a number of bytes. */
import { readRecord, type JobRecord } from "./command-codec.ts";
import { open, PART } from "./entry.ts";
import type { Page } from "./pages.ts";
import type { QueuePaths } from "./paths.ts";
import type { Place } from "./views.ts";
import type { ZkClient } from "./zk-client.ts";

/** How much is kept for each queue, in bytes. */
const MOST_KEPT = 8 * 1024 * 1024;
/** Nodes read at a time. */
const AT_ONCE = 32;

/** Whole nodes or parts, the last used last. */
export class Bodies {
  readonly #paths: QueuePaths;
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  constructor(paths: QueuePaths) {
    this.#paths = paths;
  }

  /** Keep the content of an entry that was just read or written: its jobs are often taken soon. */
  keep(position: number, content: Buffer): void {
    this.#keep(this.#paths.entry(position), content);
  }

  /** Forget all: what is at these places from now on is something else. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** The records at these places; `null` for one that is damaged or not there. */
  async load(zk: ZkClient, places: readonly Place[]): Promise<(JobRecord | null)[]> {
    const records: (JobRecord | null)[] = [];
    for (let at = 0; at < places.length; at += AT_ONCE) {
      const some = places.slice(at, at + AT_ONCE);
      const found = new Map<string, Promise<Buffer | null>>();
      const loaded = await Promise.all(some.map((place) => this.#load(zk, place, found)));
      records.push(...loaded);
    }
    return records;
  }

  async #load(
    zk: ZkClient,
    { page, offset, size }: Place,
    found: Map<string, Promise<Buffer | null>>,
  ): Promise<JobRecord | null> {
    const from = page.headLength + offset;
    const pieces: Buffer[] = [];
    for (const { path, start, end } of this.#pieces(page, from, from + size)) {
      let reading = found.get(path);
      if (reading === undefined) {
        reading = this.#node(zk, path, page);
        found.set(path, reading);
      }
      const node = await reading;
      if (node === null) return null;
      pieces.push(node.subarray(start, end));
    }
    const [only] = pieces;
    return readRecord(pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces));
  }

  /** The nodes that hold these bytes of a content, and what of them. */
  #pieces(page: Page, from: number, to: number): { path: string; start: number; end: number }[] {
    if (page.guid === null) return [{ path: this.#paths.entry(page.position), start: from, end: to }];
    const pieces = [];
    for (let part = Math.floor(from / PART); part * PART < to; part++) {
      const start = Math.max(0, from - part * PART);
      pieces.push({ path: this.#paths.part(page.guid, part), start, end: Math.min(PART, to - part * PART) });
    }
    return pieces;
  }

  /** The content in a node. */
  async #node(zk: ZkClient, path: string, page: Page): Promise<Buffer | null> {
    const kept = this.#kept.get(path);
    if (kept !== undefined) {
      this.#kept.delete(path);
      this.#kept.set(path, kept);
      return kept;
    }
    const node = await zk.get(path);
    if (node === null) return null;
    const content = page.guid === null ? inlineContent(node.data) : node.data;
    if (content !== null) this.#keep(path, content);
    return content;
  }

  #keep(path: string, content: Buffer): void {
    if (this.#kept.has(path) || content.length > MOST_KEPT) return;
    this.#kept.set(path, content);
    this.#bytes += content.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= MOST_KEPT) return;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }
}

function inlineContent(node: Buffer): Buffer | null {
  const entry = open(node);
  return entry !== null && "inline" in entry.content ? entry.content.inline : null;
}
