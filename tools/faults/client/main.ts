/** A client process: a producer or a worker, until it is told to end, or is killed. */
import { Queue, type Worker } from "@pq/core";
import { Random } from "../random.ts";
import { now, pass } from "../time.ts";
import { backendOf } from "./backends.ts";
import { withBug } from "./bugs.ts";
import { Log } from "./log.ts";
import type { Payload } from "./payload.ts";
import { produce } from "./producer.ts";
import { type ClientSpec, LEASE, type Order, QUEUE } from "./spec.ts";
import { pull, work } from "./worker.ts";

/** How long closing may wait for handlers, and what the library allows itself to leave the store; in ms. */
const CLOSING = 5000;
const GOODBYE = 15_000;

const spec = JSON.parse(process.argv[2] ?? "") as ClientSpec;
const log = new Log(spec.history);
const random = new Random(spec.seed, spec.name);
const opened = await backendOf(spec.place);
const backend = spec.bug === undefined ? opened : withBug(opened, spec.bug);
const { deadline } = spec;
const queue = new Queue<Payload>(QUEUE, { backend, lease: LEASE, deadline });
const ending = new AbortController();
let calm = false;

process.on("message", (order: Order) => {
  if (order === "calm") calm = true;
  else ending.abort();
});
const orphaned = (): never => process.exit(1);
process.on("disconnect", orphaned); // the conductor is gone

log.recorder.write({ type: "hello", at: now() });
const parts = { queue, log, random, spec, deadline, signal: ending.signal, isCalm: () => calm };
if (spec.role === "producer") await produce(parts);
else await consume();
await log.call({ type: "query", name: "close", deadline: CLOSING + GOODBYE }, () => queue.close({ timeout: CLOSING }));
log.recorder.write({ type: "bye", at: now() });
process.off("disconnect", orphaned);
process.disconnect();

async function consume(): Promise<void> {
  const worker = work(parts);
  await Promise.all([pull(parts), watch(worker)]);
  await log.call({ type: "query", name: "worker.close", deadline: CLOSING }, () => worker.close({ timeout: CLOSING }));
}

/** Ask for the worker's health each second. */
async function watch(worker: Worker<Payload>): Promise<void> {
  while (!ending.signal.aborted) {
    const query = { type: "query", name: "health", deadline } as const;
    const health = await log.call(query, () => worker.health());
    if (health !== undefined) {
      const { ok, reason } = health;
      log.recorder.write({ type: "health", at: now(), ok, ...(reason === undefined ? {} : { reason }) });
    }
    await pass(1000);
  }
}
