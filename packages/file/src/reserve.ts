/**
 * Space kept for a full disk: a file of real bytes. When a write finds the disk full, the file is removed, and what consumers
 * need to go on (leases, settlements) is written into the space it gave free, while puts are refused.
 * Each refused put tries to get the reserve back; when that succeeds, the disk has room again.
 */
import fs from "node:fs";
import { isFull, unavailable } from "./errors.ts";
import { syncFolder, writeNewFile } from "./files.ts";
import type { Layout } from "./layout.ts";

const PART = Buffer.alloc(64 * 1024);

/** The reserve of one folder. */
export class Reserve {
  readonly #layout: Layout;
  readonly #size: number;
  #left = 0;
  #restoring: Promise<boolean> | undefined;

  constructor(layout: Layout, size: number) {
    this.#layout = layout;
    this.#size = size;
  }

  /** Bytes that may still be written while the disk is full. */
  get left(): number {
    return this.#left;
  }

  /** Count bytes that were written while the disk is full. */
  spend(bytes: number): void {
    this.#left -= bytes;
  }

  /** Give the space free. */
  async release(): Promise<void> {
    await fs.promises.rm(this.#layout.reserve, { force: true });
    await syncFolder(this.#layout.folder);
  }

  /** Take the space again, unless it is still taken. `false`: the disk is full. Other errors reject as `UNAVAILABLE`. */
  async restore(): Promise<boolean> {
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  async #restore(): Promise<boolean> {
    const { reserve, folder } = this.#layout;
    try {
      const size = await fs.promises.stat(reserve).then(
        (stat) => stat.size,
        () => 0,
      );
      if (size !== this.#size) {
        await writeNewFile(reserve, parts(this.#size));
        await syncFolder(folder);
      }
      this.#left = this.#size;
      return true;
    } catch (error) {
      if (!isFull(error)) throw unavailable("the reserve could not be written", error);
      await fs.promises.rm(reserve, { force: true });
      return false;
    }
  }
}

function* parts(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= PART.length) yield PART.subarray(0, Math.min(left, PART.length));
}
