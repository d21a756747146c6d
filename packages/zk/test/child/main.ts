/**
 * A process of its own for the tests of what befalls connections and processes.
 *
 *     work <hosts> <root> <session>   put, take and ack with several hands at once until told to stop, then all that is left, and say what happened
 *     hold <hosts> <root> <session>   take a job and hold it; settle it when told to, and then do another one
 *
 * It is told so by a line on its input. It says a line for each event, and ends by itself: whatever keeps it alive or ends it sooner is a defect.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { isPqError, Queue } from "@pq/core";
import { zk } from "../../src/index.ts";

const [command = "", hosts = "", root = "", session = "4000"] = process.argv.slice(2);
const HANDS = 12;

/** What `work` says at its end. */
export interface Summary {
  readonly put: number;
  readonly acked: number;
  /** Calls whose outcome is not known. */
  readonly unknown: number;
  /** Jobs that were taken from us. */
  readonly lost: number;
  /** Put for certain, and neither done nor there. */
  readonly missing: readonly string[];
  /** Delivered after they were done for certain. */
  readonly twice: readonly string[];
  /** Errors of other kinds. */
  readonly wrong: readonly string[];
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

const queue = new Queue<string>("q", {
  backend: zk({ hosts, root, sessionTimeout: Number(session), commandTimeout: 3000 }),
});
for (const type of ["disconnected", "reconnected", "damage", "warning"] as const) {
  queue.on(type, ({ message }) => say(`event ${type} ${message}`));
}
const input = createInterface({ input: process.stdin });
const told = (line: string): Promise<void> =>
  new Promise((resolve) => {
    input.on("line", (heard) => heard === line && resolve());
  });

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "done",
    (error: unknown) => (isPqError(error) ? error.code : String(error)),
  );
}

class Work {
  readonly put = new Set<string>();
  readonly acked = new Set<string>();
  readonly unsure = new Set<string>();
  readonly twice: string[] = [];
  readonly wrong: string[] = [];
  unknown = 0;
  lost = 0;
  over = false;

  async hand(number: number): Promise<void> {
    for (let count = 0; !this.over; count++) {
      const name = `${number}-${count}`;
      const code = await codeOf(queue.put(name));
      if (code === "done") this.put.add(name);
      else this.#count(code);
      await this.#takeOne(number === 0 ? 50 : 0);
    }
  }

  async rest(): Promise<void> {
    while (await this.#takeOne(0));
  }

  async #takeOne(wait: number): Promise<boolean> {
    try {
      const job = await queue.take(wait === 0 ? {} : { wait });
      if (job === null) return false;
      if (this.acked.has(job.payload)) this.twice.push(job.payload);
      const code = await codeOf(job.ack());
      if (code === "done") this.acked.add(job.payload);
      else this.unsure.add(job.payload);
      this.#count(code);
    } catch (error) {
      this.#count(isPqError(error) ? error.code : String(error));
    }
    return true;
  }

  #count(code: string): void {
    if (code === "OUTCOME_UNKNOWN" || code === "UNAVAILABLE") this.unknown++;
    else if (code === "LEASE_LOST") this.lost++;
    else if (code !== "done") this.wrong.push(code);
  }

  get summary(): Summary {
    const { put, acked, unsure, unknown, lost, twice, wrong } = this;
    const missing = [...put].filter((name) => !acked.has(name) && !unsure.has(name));
    return { put: put.size, acked: acked.size, unknown, lost, missing, twice, wrong };
  }
}

async function work(): Promise<void> {
  const doing = new Work();
  const stop = told("stop");
  await queue.ready();
  say("open");
  const hands = Array.from({ length: HANDS }, (_, number) => doing.hand(number));
  await stop;
  doing.over = true;
  await Promise.all(hands);
  await doing.rest();
  say(`summary ${JSON.stringify(doing.summary)}`);
}

async function hold(): Promise<void> {
  const [settle, again] = [told("settle"), told("again")];
  await queue.ready();
  const job = await queue.take({ wait: "20s" });
  say(`took ${job?.payload}`);
  await settle;
  say(`ack ${job === null ? "nothing" : await codeOf(job.ack())}`);
  await again;
  const next = await queue.take({ wait: "20s" });
  say(`next ${next?.payload} ${next === null ? "" : await codeOf(next.ack())}`);
}

await (command === "work" ? work() : hold());
input.close();
await queue.close();
say("closed");
