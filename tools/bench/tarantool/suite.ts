/** @pq/tarantool beside tarantool/queue and beside the raw calls. */
import type { Suite } from "../queues/suite.ts";
import { verdicts } from "./goals.ts";
import { rows, type TarantoolSide } from "./rows.ts";
import { classes, MeasuredTarantool } from "./server.ts";

const sides: Readonly<Record<TarantoolSide, string>> = {
  pq: moduleOf("./sides/pq-tarantool.js"),
  memory: moduleOf("../queues/sides/pq-memory.js"),
  queue: moduleOf("./sides/tarantool-queue.js"),
  raw: moduleOf("./sides/raw.js"),
  "raw-marked": moduleOf("./sides/raw-marked.js"),
};

function moduleOf(path: string): string {
  return new URL(path, import.meta.url).href;
}

/** `pnpm bench tarantool`. */
export const tarantoolSuite: Suite = {
  name: "tarantool",
  rows,
  classes,
  sides,
  preface: () => [],
  serverNote: "on the same machine, started anew for each row, emptied before each run",
  notes: [
    "Commands are the requests of clients that the server counted.",
    "tarantool/queue has no call for many jobs: the driver sends its calls together, in pipelines.",
    "Jobs of 10 KB are not measured there: tarantool-driver hangs, or gives an answer twice, when answers of others come in pieces.",
    "The payload of tarantool/queue is a text of JSON: as a table it would be made into Lua's and back on the server.",
    "Busy groups are utubes there, filled one after the other. By default a take looks at all jobs of the busy utubes before those of the next one: hours for groups of 100,000, so the rows with its defaults have groups of 100 and of 1,000. The others have its storage mode ready_buffer, which its README calls experimental.",
    "A backlog row puts or drains 50,000 jobs at the depth in its title, which moves by as many meanwhile.",
    "Bytes are those of rows and indexes by the server's own count.",
    "The raw calls keep no promise: one stored function that inserts an array of jobs, one that takes and deletes the first ones. They are the limit, not a rival. Those that mark and delete change each row twice, as a queue must that writes down who has what.",
  ],
  offered: async () => ["D1", "D2"],
  start: (durability) => MeasuredTarantool.start(durability),
  verdicts,
};
