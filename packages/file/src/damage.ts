/** Puts aside what cannot be understood, once, and tells the operator. */
import fs from "node:fs";
import type { BackendEvent } from "@pq/core/backend";
import { syncFolder, writeNewFile } from "./files.ts";
import type { Layout } from "./layout.ts";
import type { LogPlace } from "./payload-reader.ts";

/** The side files of one folder. */
export class Damage {
  readonly #layout: Layout;
  readonly #report: (event: BackendEvent) => void;

  constructor(layout: Layout, report: (event: BackendEvent) => void) {
    this.#layout = layout;
    this.#report = report;
  }

  /** How many parts have been put aside. */
  async count(): Promise<number> {
    return fs.promises.readdir(this.#layout.damaged).then(
      (names) => names.length,
      () => 0,
    );
  }

  /** Put bytes aside, unless they have been before. */
  async putAside(
    { segment, offset }: Pick<LogPlace, "segment" | "offset">,
    bytes: Uint8Array,
    what: string,
    queue?: string,
  ): Promise<void> {
    const path = this.#layout.damagedPart(segment, offset);
    const known = await fs.promises.stat(path).then(
      (stat) => stat.size,
      () => -1,
    );
    if (known === bytes.length) return;
    await fs.promises.mkdir(this.#layout.damaged, { recursive: true, mode: 0o700 });
    await writeNewFile(path, [bytes]);
    await syncFolder(this.#layout.damaged);
    await syncFolder(this.#layout.folder);
    this.report(what, path, queue);
  }

  /** Tell the operator. */
  report(message: string, where: string, queue?: string): void {
    this.#report({ type: "damage", message, where, ...(queue === undefined ? {} : { queue }) });
  }
}
