/**
 * No queue: the commands that no queue on a list can do without, from ioredis, with equal bytes. Nobody's promises are kept, nothing is
 * parsed or audited. It is the limit that efficiency is measured against.
 *
 *   put        RPUSH of one value; of all values at once for many
 *   take + ack LPOP of so many values as the concurrency, then HDEL of so many fields; one step after the other
 *
 * For latencies it is BLPOP on a connection of its own: the quickest way a job can get from one client to another.
 */
import { addressOf } from "../address.ts";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Producer, Side, Target, Work, WorkOptions } from "../../queues/side.ts";

interface Client {
  connect(): Promise<void>;
  rpush(key: string, ...values: readonly string[]): Promise<unknown>;
  lpopBuffer(key: string, count: number): Promise<Buffer[] | null>;
  blpop(key: string, timeout: number): Promise<[string, string] | null>;
  llen(key: string): Promise<number>;
  hset(key: string, ...fieldsAndValues: readonly string[]): Promise<unknown>;
  hdel(key: string, ...fields: readonly string[]): Promise<unknown>;
  disconnect(): void;
}

interface Module {
  readonly Redis: new (options: object) => Client;
}

/** The raw primitive. */
export async function side(): Promise<Side> {
  const { Redis } = await loadPeer<Module>("ioredis");
  const open = async ({ url }: Target): Promise<Client> => {
    const client = new Redis({ ...addressOf(url), lazyConnect: true });
    await client.connect();
    return client;
  };
  return {
    title: `raw commands, ioredis ${await peerVersion("ioredis")}`,
    setup: "RPUSH; LPOP count + HDEL; BLPOP for latencies; no queue, no promises, no JSON",
    missing: {
      audit: "nothing is parsed",
      priority: "a list has none",
      delay: "a list has none",
      retry: "it takes nothing back",
    },
    producer: async (target) => producer(await open(target), target),
    worker: async (target, options) => {
      const client = await open(target);
      return options.prefilled ? drain(client, target, options) : listen(client, target, options);
    },
  };
}

async function producer(client: Client, { queue }: Target): Promise<Producer> {
  return {
    put: ({ payload }) => client.rpush(queue, text(payload)),
    putMany: (tasks) => client.rpush(queue, ...tasks.map(({ payload }) => text(payload))),
    close: async () => client.disconnect(),
  };
}

/** The bytes that JSON would make, for less: making them is no part of the primitive. */
function text({ run, seq, sum, pad }: Payload): string {
  return `{"run":"${run}","seq":${seq},"sum":${sum},"pad":"${pad}"}`;
}

const STEP = 1000;

async function drain(client: Client, { queue }: Target, { concurrency, acked }: WorkOptions): Promise<Work> {
  const leases = `${queue}:leases`;
  const jobs = await client.llen(queue);
  for (let from = 0; from < jobs; from += STEP) {
    const fields = Array.from({ length: Math.min(STEP, jobs - from) }, (_, i) => [String(from + i), "1"]);
    await client.hset(leases, ...fields.flat());
  }
  const all = async (): Promise<void> => {
    for (let done = 0; done < jobs;) {
      const values = (await client.lpopBuffer(queue, concurrency)) ?? [];
      await client.hdel(leases, ...values.map((_, i) => String(done + i)));
      done += values.length;
      for (let i = 0; i < values.length; i++) acked();
    }
  };
  return { start: () => void all().catch(console.error), close: async () => client.disconnect() };
}

function listen(client: Client, { queue }: Target, { handler, acked }: WorkOptions): Work {
  const closing = new AbortController();
  const all = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const found = await client.blpop(queue, 0);
      if (found === null) continue;
      handler(JSON.parse(found[1]) as Payload);
      acked();
    }
  };
  return {
    start: () => void all().catch((error: unknown) => closing.signal.aborted || console.error(error)),
    close: async () => {
      closing.abort();
      client.disconnect();
    },
  };
}
