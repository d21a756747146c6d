/**
 * A `FaultProxy` in a thread of its own. A native client that is closed stops the event loop until its server has answered: a proxy in the same
 * thread could not pass the answer on.
 */
import { parentPort, workerData } from "node:worker_threads";
import { FaultProxy } from "../../../core/src/testing/fault-proxy.ts";
import { isCall } from "./packets.ts";

/** What the thread is told at its start. */
export interface ProxyData {
  readonly host: string;
  readonly port: number;
  /** Raised after each command was carried out. */
  readonly done: SharedArrayBuffer;
}

/** What it can be told to do. */
export type ProxyCommand = "loseReply" | "loseRequest" | "cut" | "halfOpen" | "heal";

const { host, port, done } = workerData as ProxyData;
const counter = new Int32Array(done);
const proxy = await FaultProxy.listen({ host, port, isRequest: isCall });
let heal: () => void = () => undefined;

parentPort?.on("message", (command: ProxyCommand) => {
  if (command === "heal") heal();
  else if (command === "halfOpen") heal = proxy.halfOpen();
  else proxy[command]();
  Atomics.add(counter, 0, 1);
  Atomics.notify(counter, 0);
});
// oxlint-disable-next-line require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage(proxy.port);
