/** Fault proxies that run in threads of their own. */
import { Worker } from "node:worker_threads";
import type { Faults } from "@pq/core/testing";
import type { ProxyCommand, ProxyData } from "./child/proxy.ts";
import { compiled } from "./compiled.ts";

/** How long a command may take, in ms. */
const LIMIT = 5000;

/** A proxy, and its faults. */
export interface ThreadProxy {
  readonly host: string;
  readonly port: number;
  readonly faults: Required<Pick<Faults, "loseReply" | "loseRequest" | "cut" | "halfOpen">>;
  close(): Promise<void>;
}

/** Start a proxy in front of a server. */
export async function startProxy({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<ThreadProxy> {
  const done = new SharedArrayBuffer(4);
  const counter = new Int32Array(done);
  const workerData: ProxyData = { host, port, done };
  const worker = new Worker(compiled("proxy.js"), { workerData });
  const listening = await new Promise<number>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  // Faults must be armed before the next call is made, so this thread waits for the other.
  const tell = (command: ProxyCommand): void => {
    const before = Atomics.load(counter, 0);
    // oxlint-disable-next-line require-post-message-target-origin -- a thread, not a window
    worker.postMessage(command);
    if (Atomics.wait(counter, 0, before, LIMIT) === "timed-out") throw new Error(`the proxy does not ${command}`);
  };
  return {
    host: "127.0.0.1",
    port: listening,
    faults: {
      loseReply: () => tell("loseReply"),
      loseRequest: () => tell("loseRequest"),
      cut: () => tell("cut"),
      halfOpen: () => {
        tell("halfOpen");
        return () => tell("heal");
      },
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
