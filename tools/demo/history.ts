import type { Line } from "./record.ts";

type Who = "first" | "second";

/** What the two workers did, and what must be true of it. */
export class History {
  readonly #lines: (Line & { readonly who: Who })[] = [];
  readonly #seen = new Set<string>();

  /** Take a line in; how many different files are done by now. */
  add(line: Line, who: Who): number {
    this.#lines.push({ ...line, who });
    this.#seen.add(line.path);
    return this.#seen.size;
  }

  /** How many files a worker finished. */
  doneBy(who: Who): number {
    return this.#lines.filter((line) => line.type === "done" && line.who === who).length;
  }

  /** Hold the history against the promise: every file is done, and none again once its ack was confirmed. */
  report(paths: readonly string[]): Report {
    const report = {
      lines: 0,
      redelivered: 0,
      twice: 0,
      lost: [] as string[],
      afterAck: [] as string[],
      unexplained: [] as string[],
    };
    const byPath = new Map<string, Line[]>(paths.map((path) => [path, []]));
    for (const line of this.#lines) byPath.get(line.path)?.push(line);
    for (const [path, own] of byPath) {
      const done = own.filter((line) => line.type === "done");
      const again = done.some(({ attempt }) => attempt > 1);
      report.lines += done[0]?.lines ?? 0;
      if (done.length === 0) report.lost.push(path);
      if (again) report.redelivered++;
      if (done.length > 1) report.twice++;
      if (done.length > 1 && !again) report.unexplained.push(path);
      const firstAck = own.findIndex(({ type }) => type === "acked");
      if (firstAck >= 0 && own.slice(firstAck).some(({ type }) => type === "done")) report.afterAck.push(path);
    }
    return report;
  }
}

/** What `History.report` counts. */
export interface Report {
  readonly lines: number;
  /** Files delivered more than once. */
  readonly redelivered: number;
  /** Files whose work was done more than once. */
  readonly twice: number;
  readonly lost: readonly string[];
  /** Done again although the ack had been confirmed. */
  readonly afterAck: readonly string[];
  /** Done twice, though the second delivery was not marked as one. */
  readonly unexplained: readonly string[];
}
