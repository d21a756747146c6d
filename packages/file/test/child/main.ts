/**
 * A process of its own for the tests of locks and crashes.
 *
 *     hold <folder>          open the folder, say so, and hold it until the end
 *     load <folder> <seed>   put, take and ack without end, saying what was promised
 *     fail <folder> <seed>   put until it fails, then say what each call says
 *
 * Every line is written before the next step, so that what was said before a SIGKILL is known.
 */
import { writeSync } from "node:fs";
import { isPqError, newRequestId } from "@pq/core/backend";
import { FileBackend } from "../../src/backend.ts";
import { resolveOptions } from "../../src/options.ts";

const [command = "", path = "", seed = "0"] = process.argv.slice(2);
const backend = new FileBackend(resolveOptions({ path, segmentBytes: 64 * 1024, reserveBytes: 0 }));

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function idOf(n: number): string {
  return `00000000-0000-7000-8000-${(Number(seed) * 1_000_000 + n).toString(16).padStart(12, "0")}`;
}

/** The code that a call ends with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: unknown) => (isPqError(error) ? error.code : String(error)),
  );
}

async function untilFailure(): Promise<void> {
  say(`failed ${await codeOf(produce(0, 1))}`);
  say(`put-again ${await codeOf(produce(0, 1))}`);
  say(`take ${await codeOf(backend.take({ request: newRequestId(), queue: "q", limit: 1, lease: 50 }))}`);
  await backend.close();
  say("closed");
}

async function produce(start: number, batch: number): Promise<void> {
  for (let n = start; ; n += 10 * batch) {
    const ids = Array.from({ length: batch }, (_, i) => idOf(n + i * 10));
    const jobs = ids.map((id) => ({
      id: id as Parameters<typeof backend.put>[0]["jobs"][number]["id"],
      payload: Buffer.alloc(200 + (n % 800), id),
      priority: n % 3,
      urgent: false,
      due: null,
      ttl: null,
      lease: null,
      key: null,
      group: null,
      maxAttempts: 1_000_000,
      keepResult: null,
      headers: "",
    }));
    await backend.put({
      request: newRequestId(),
      after: null,
      queue: "q",
      jobs,
      maxSize: null,
      partial: false,
      transaction: null,
    });
    say(`put ${ids.join(" ")}`);
  }
}

async function consume(limit: number): Promise<void> {
  for (;;) {
    const jobs = await backend.take({ request: newRequestId(), queue: "q", limit, lease: 50 });
    if (jobs.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    say(`acking ${jobs.map(({ id }) => id).join(" ")}`);
    const items = jobs.map(({ id, fence }) => ({ id, fence, type: "ack", result: null }) as const);
    const outcomes = await backend.settle({ request: newRequestId(), queue: "q", items });
    const acked = items.filter((_, index) => outcomes[index] === "gone");
    if (acked.length > 0) say(`acked ${acked.map(({ id }) => id).join(" ")}`);
  }
}

await backend.open({ report: (event) => say(`event ${event.type} ${event.message}`) });
say("open");
if (command === "load") await Promise.all([produce(0, 1), produce(1, 7), produce(2, 30), consume(1), consume(25)]);
else if (command === "fail") await untilFailure();
else setInterval(() => undefined, 1000);
