/**
 * No queue: a stored function that inserts an array of jobs, and one that takes out and deletes the first ones, each in one transaction; by the connection
 * of @pq/tarantool, with equal bytes. Nobody's promises are kept, nothing is parsed or audited. It is the limit that efficiency is measured against.
 *
 *   put        what is put in one turn of the event loop goes in one call
 *   take + ack one call for as many jobs as the concurrency; one after the other
 *
 * `raw-marked.ts` is the same for whoever marks a job in its row when it is taken, and deletes it later: two calls, and two changes of each row.
 */
import type { Duplex } from "node:stream";
import { connect } from "node:net";
import type { Payload } from "../../queues/payload.ts";
import type { Producer, Side, Target, Work, WorkOptions } from "../../queues/side.ts";

interface Connection {
  call(name: string, args: readonly unknown[], timeout: number): Promise<readonly unknown[]>;
  close(): void;
}

interface Module {
  readonly Connection: { connect(params: object): Promise<Connection> };
}

const TIMEOUT = 60_000;

/** The names of the stored functions. */
interface Functions {
  readonly put: string;
  readonly take: string;
  /** Unset: a take deletes. */
  readonly ack?: string;
}

/** The raw primitive. */
export async function side(): Promise<Side> {
  return rawSide("raw calls", "a stored function that inserts an array, one that selects and deletes the first jobs", {
    put: "raw_put",
    take: "raw_take",
  });
}

/** A side of these functions. */
export async function rawSide(title: string, setup: string, functions: Functions): Promise<Side> {
  const path = new URL("./iproto/connection.js", import.meta.resolve("@pq/tarantool")).href;
  const { Connection } = (await import(path)) as Module;
  const open = async ({ url }: Target): Promise<Connection> => {
    const { hostname, port, username, password } = new URL(url);
    const socket = (): Duplex => connect({ host: hostname, port: Number(port) });
    return Connection.connect({ open: socket, user: username, password, timeout: TIMEOUT });
  };
  return {
    title,
    setup: `${setup}; no queue, no promises, no JSON`,
    missing: {
      audit: "nothing is parsed",
      priority: "it has none",
      delay: "it has none",
      retry: "it takes nothing back",
    },
    producer: async (target) => producer(await open(target), functions),
    worker: async (target, options) => drain(await open(target), functions, options),
  };
}

function producer(connection: Connection, functions: Functions): Producer {
  let waiting: string[] = [];
  let sending: Promise<unknown> | undefined;
  const send = async (): Promise<unknown> => {
    await Promise.resolve();
    const texts = waiting;
    [waiting, sending] = [[], undefined];
    return connection.call(functions.put, [texts], TIMEOUT);
  };
  return {
    put: ({ payload }) => {
      waiting.push(text(payload));
      return (sending ??= send());
    },
    putMany: (tasks) => connection.call(functions.put, [tasks.map(({ payload }) => text(payload))], TIMEOUT),
    close: async () => connection.close(),
  };
}

/** The bytes that JSON would make, for less: making them is no part of the primitive. */
function text({ run, seq, sum, pad }: Payload): string {
  return `{"run":"${run}","seq":${seq},"sum":${sum},"pad":"${pad}"}`;
}

function drain(connection: Connection, { take, ack }: Functions, { concurrency, acked }: WorkOptions): Work {
  const closing = new AbortController();
  const all = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const [found] = await connection.call(take, [concurrency], TIMEOUT);
      const jobs = found as readonly (readonly unknown[])[];
      if (jobs.length === 0) return;
      if (ack !== undefined) await connection.call(ack, [jobs.map(([number]) => number)], TIMEOUT);
      for (let i = 0; i < jobs.length; i++) acked();
    }
  };
  const failed = (error: unknown): void => {
    if (!closing.signal.aborted) console.error(error);
  };
  return {
    start: () => void all().catch(failed),
    close: async () => {
      closing.abort();
      connection.close();
    },
  };
}
