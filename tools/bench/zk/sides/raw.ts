/**
 * No queue: the commands that no queue on ZooKeeper can do without, with equal bytes, 100 jobs in a node. No promises, no leases, nothing is parsed or
 * audited. It is the limit that efficiency is measured against.
 *
 *   put        create of a sequential node with all that was put in the same turn of the event loop
 *   take + ack get of a node, then delete; one step after the other, as many jobs at a time as the concurrency
 */
import type { Payload } from "../../queues/payload.ts";
import type { Producer, Side, Target, Work, WorkOptions } from "../../queues/side.ts";
import { clientVersion, SEQUENTIAL, ZkConnection } from "../client.ts";

/** The most jobs and bytes of a node. */
const MOST_JOBS = 100;
const MOST_BYTES = 1_000_000;

/** The raw primitive. */
export async function side(): Promise<Side> {
  return {
    title: `raw commands, zookeeper ${clientVersion()}`,
    setup: `create, get and delete of nodes with up to ${MOST_JOBS} jobs each; no queue, no promises, no JSON`,
    missing: {
      audit: "nothing is parsed",
      priority: "nodes have none",
      delay: "it takes what is there",
      retry: "it takes nothing back",
    },
    producer: async (target) => producer(await open(target), folderOf(target)),
    worker: async (target, options) => drain(await open(target), folderOf(target), options),
  };
}

const ROOT = "/raw";

function folderOf({ queue }: Target): string {
  return `${ROOT}/${queue}`;
}

async function open(target: Target): Promise<ZkConnection> {
  const client = await ZkConnection.open(target.url);
  for (const path of [ROOT, folderOf(target)]) await client.create(path).catch(() => undefined); // it is there
  return client;
}

function producer(client: ZkConnection, folder: string): Producer {
  let waiting: string[] = [];
  let sending: Promise<unknown> | undefined;
  const send = async (): Promise<unknown> => {
    await Promise.resolve();
    const texts = waiting;
    [waiting, sending] = [[], undefined];
    return create(texts);
  };
  // The number of a node's jobs is in its name.
  const create = (texts: readonly string[]): Promise<unknown> =>
    Promise.all(
      inNodes(texts).map((part) => client.create(`${folder}/${part.length}-`, Buffer.from(part.join("")), SEQUENTIAL)),
    );
  return {
    put: ({ payload }) => {
      waiting.push(text(payload));
      return (sending ??= send());
    },
    putMany: (tasks) => create(tasks.map(({ payload }) => text(payload))),
    close: async () => client.close(),
  };
}

/** The bytes that JSON would make, for less: making them is no part of the primitive. */
function text({ run, seq, sum, pad }: Payload): string {
  return `{"run":"${run}","seq":${seq},"sum":${sum},"pad":"${pad}"}`;
}

function inNodes(texts: readonly string[]): (readonly string[])[] {
  const size = Math.min(MOST_JOBS, Math.floor(MOST_BYTES / (texts[0]?.length ?? 1)));
  return Array.from({ length: Math.ceil(texts.length / size) }, (_, i) => texts.slice(i * size, (i + 1) * size));
}

async function drain(client: ZkConnection, folder: string, { concurrency, acked }: WorkOptions): Promise<Work> {
  const nodes = (await client.children(folder)).map((name) => ({
    path: `${folder}/${name}`,
    jobs: parseInt(name, 10),
  }));
  const lane = async (): Promise<void> => {
    for (let node = nodes.shift(); node !== undefined; node = nodes.shift()) {
      await client.get(node.path);
      await client.delete(node.path);
      for (let i = 0; i < node.jobs; i++) acked();
    }
  };
  const lanes = Math.max(1, Math.floor(concurrency / MOST_JOBS));
  const all = (): Promise<unknown> => Promise.all(Array.from({ length: lanes }, lane));
  return { start: () => void all().catch(console.error), close: async () => client.close() };
}
