/**
 * No queue: the commands that no queue with a document for each job can do without, from the driver. No promises, no order, no leases. It is the
 * limit that efficiency is measured against.
 *
 *   put        insertOne; insertMany for many
 *   take + ack find of so many documents as the concurrency, then deleteMany of their ids; one step after the other
 */
import type { Payload } from "../../queues/payload.ts";
import { peerVersion } from "../../queues/peers.ts";
import type { Side, Target, Work, WorkOptions } from "../../queues/side.ts";
import { type Client, closeWith, connect, DATABASE } from "../driver.ts";

interface Stored extends Payload {
  readonly _id: unknown;
}

/** The raw primitive. */
export async function side(): Promise<Side> {
  return {
    title: `raw commands, mongodb ${await peerVersion("mongodb")}`,
    setup: "insertOne, insertMany; find + deleteMany by ids; no queue, no promises",
    missing: { priority: "there is no order", delay: "it takes what is there", retry: "it takes nothing back" },
    producer: async (target) => {
      const client = await connect(target);
      const jobs = client.db(DATABASE).collection(target.queue);
      return {
        put: ({ payload }) => jobs.insertOne({ ...payload }),
        putMany: (tasks) => jobs.insertMany(tasks.map(({ payload }) => ({ ...payload }))),
        close: closeWith(client),
      };
    },
    worker: async (target, options) => drain(await connect(target), target, options),
    stored: (target) => stored(target),
  };
}

function drain(client: Client, { queue }: Target, { concurrency, handler, acked }: WorkOptions): Work {
  const jobs = client.db(DATABASE).collection<Stored>(queue);
  const all = async (): Promise<void> => {
    for (;;) {
      const found = await jobs.find({}).limit(concurrency).toArray();
      if (found.length === 0) return;
      for (const job of found) handler(job);
      await jobs.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } });
      for (let i = 0; i < found.length; i++) acked();
    }
  };
  return { start: () => void all().catch(console.error), close: closeWith(client) };
}

async function* stored(target: Target): AsyncIterable<Payload> {
  const client = await connect(target);
  try {
    yield* client.db(DATABASE).collection<Stored>(target.queue).find({});
  } finally {
    await client.close();
  }
}
