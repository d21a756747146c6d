/**
 * Writes to the end of one segment. There are two ways in: with a sync, and, for what need not survive the machine,
 * without one. What was written without goes to disk with the next write that syncs: that write covers it once more,
 * since a sync by O_DSYNC is for the bytes of its own write alone.
 */
import { closeFile, openFile, syncData, truncate, writeAll } from "./files.ts";
import { HAS_DSYNC, segmentFlags } from "./segment.ts";

/** Most bytes that are written a second time. */
const MOST_UNSYNCED = 256 * 1024;

/** An open segment. */
export class SegmentWriter {
  readonly #durable: boolean;
  /** Writes through this one are syncs; without O_DSYNC, or when nothing is to be synced, it is the other one. */
  readonly #syncing: number;
  readonly #plain: number;
  #size: number;
  #unsynced: Buffer[] = [];
  #unsyncedBytes = 0;

  private constructor(fds: { syncing: number; plain: number }, durable: boolean, size: number) {
    this.#syncing = fds.syncing;
    this.#plain = fds.plain;
    this.#durable = durable;
    this.#size = size;
  }

  /** Open the file of a segment of this size, or with `create` a new one, which must not be there. */
  static async open(path: string, durable: boolean, size: number, create = false): Promise<SegmentWriter> {
    const plain = await openFile(path, segmentFlags(false, create));
    try {
      const syncing = durable && HAS_DSYNC ? await openFile(path, segmentFlags(true, false)) : plain;
      return new SegmentWriter({ syncing, plain }, durable, size);
    } catch (error) {
      await closeFile(plain);
      throw error;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Write at the end. With `lazy`, it need not survive the machine yet. After an error the size is what it was. */
  async write(bytes: Buffer, lazy: boolean): Promise<void> {
    if (this.#durable && lazy && this.#unsyncedBytes + bytes.length <= MOST_UNSYNCED) {
      await writeAll(this.#plain, bytes, this.#size);
      this.#unsynced.push(Buffer.from(bytes));
      this.#unsyncedBytes += bytes.length;
    } else {
      const all = this.#unsyncedBytes === 0 ? bytes : Buffer.concat([...this.#unsynced, bytes]);
      await writeAll(this.#syncing, all, this.#size - this.#unsyncedBytes);
      if (this.#durable && !HAS_DSYNC) await syncData(this.#plain);
      this.#forgetUnsynced();
    }
    this.#size += bytes.length;
  }

  /** Sync what was written without. */
  async sync(): Promise<void> {
    if (this.#durable && this.#unsyncedBytes === 0) return;
    await syncData(this.#plain);
    this.#forgetUnsynced();
  }

  /** Sync all, also what others wrote before this process did. */
  async syncAll(): Promise<void> {
    await syncData(this.#plain);
  }

  /** Cut off what a failed write may have left behind the end. */
  async trim(): Promise<void> {
    await truncate(this.#plain, this.#size);
  }

  async close(): Promise<void> {
    await closeFile(this.#plain);
    if (this.#syncing !== this.#plain) await closeFile(this.#syncing);
  }

  #forgetUnsynced(): void {
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
  }
}
