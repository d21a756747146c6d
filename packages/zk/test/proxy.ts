/** Fault proxies that run in threads of their own. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Faults } from "@pq/core/testing";
import type { ProxyCommand, ProxyData } from "./child/proxy.ts";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** How long a command may take, in ms. */
const LIMIT = 5000;

/** A proxy, and its faults. */
export interface ThreadProxy {
  readonly host: string;
  readonly port: number;
  readonly faults: Required<Pick<Faults, "loseReply" | "loseRequest" | "cut" | "halfOpen">>;
  close(): Promise<void>;
}

let compiled: string | undefined;

/** Start a proxy in front of a server. */
export async function startProxy({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<ThreadProxy> {
  compiled ??= compile();
  const done = new SharedArrayBuffer(4);
  const counter = new Int32Array(done);
  const workerData: ProxyData = { host, port, done };
  const worker = new Worker(join(compiled, "zk/test/child/proxy.js"), { workerData });
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

/** Compile the thread's program to plain JavaScript; it is removed when the process ends. */
function compile(): string {
  const out = fs.mkdtempSync(join(tmpdir(), "pq-zk-proxy-"));
  process.once("exit", () => fs.rmSync(out, { recursive: true, force: true }));
  const config = {
    extends: join(PACKAGES, "..", "tsconfig.base.json"),
    compilerOptions: {
      outDir: out,
      rootDir: PACKAGES,
      noCheck: true,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      typeRoots: [join(PACKAGES, "zk/node_modules/@types")],
      composite: false,
      isolatedDeclarations: false,
    },
    files: [join(PACKAGES, "zk/test/child/proxy.ts")],
  };
  fs.writeFileSync(join(out, "tsconfig.json"), JSON.stringify(config));
  fs.writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  execFileSync(join(PACKAGES, "zk/node_modules/.bin/tsc"), ["-p", join(out, "tsconfig.json")], { stdio: "inherit" });
  return out;
}
