/** A harness in real time: a server of its own for each store, and a proxy before it that causes the faults. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "@pq/core/backend";
import { FaultProxy, type Harness } from "@pq/core/testing";
import { tcpCapabilities, TcpBackend } from "./backend.ts";
import { KIND_AT, QUIET } from "./protocol.ts";

const program = fileURLToPath(new URL("./server.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tcpstore-"));
const running = new Set<ChildProcess>();
let stores = 0;

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A server process: it can be killed and started again on the same file and port. */
class Server {
  readonly #file: string;
  #process: ChildProcess | undefined;
  port = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async start(): Promise<void> {
    const child = fork(program, [this.#file, String(this.port)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#process = child;
    running.add(child);
    const [message] = (await once(child, "message")) as [{ readonly port: number }];
    this.port = message.port;
  }

  /** Stand still, until the function that this returns is called. */
  pause(): () => void {
    this.#process?.kill("SIGSTOP");
    return () => this.#process?.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    running.delete(child);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}

export const harness: Harness = {
  name: "tcpstore",
  capabilities: tcpCapabilities,
  async open() {
    const file = join(folder, `${++stores}.log`);
    const server = new Server(file);
    await server.start();
    const proxy = await FaultProxy.listen({ port: server.port, isRequest: (bytes) => bytes[KIND_AT] !== QUIET });
    return {
      connect: () => new TcpBackend({ host: proxy.host, port: proxy.port, deadline: 2_000 }),
      clock: systemClock,
      pass: (ms) => sleep(ms),
      faults: proxy.faults({ pause: () => server.pause(), restart: () => server.restart() }),
      async close() {
        await proxy.close();
        await server.stop();
        rmSync(file);
      },
    };
  },
};
