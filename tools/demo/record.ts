/** What the worker process tells the demo, a line of JSON each, written at once so that it survives the worker's death. */
import { writeSync } from "node:fs";

/** The file descriptor that the demo gives its worker processes. */
const PIPE = 3;

/** The work was done (again). */
interface Done {
  readonly type: "done";
  readonly path: string;
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  readonly hash: string;
  readonly lines: number;
}

/** The queue has confirmed it: it must not come again. */
interface Acked {
  readonly type: "acked";
  readonly path: string;
}

export type Line = Done | Acked;

/** Tell the demo. */
export function tell(line: Line): void {
  writeSync(PIPE, `${JSON.stringify(line)}\n`);
}
