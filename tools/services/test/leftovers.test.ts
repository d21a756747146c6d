/** The servers of a process end with it, however it ends. Seen on `npm run services`, as a process of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, it } from "vitest";
import { available } from "../index.ts";
import { type Address, request } from "../resp.ts";
import { until } from "../wait.ts";
import { listens } from "./support.ts";

const tool = dirname(import.meta.dirname);
const { available: isThere } = await available("redis", "program");

describe.skipIf(!isThere)("a process that starts servers", () => {
  beforeAll(() => {
    const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
    const { status, stdout } = spawnSync(process.execPath, [join(typescript, "bin/tsc"), "-b", tool]);
    expect(status, stdout.toString()).toBe(0);
  }, 60_000);

  it.each(["SIGINT", "SIGTERM"] as const)("leaves nothing behind after %s", async (signal) => {
    const { child, server, folder } = await start();
    child.kill(signal);
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await listens(server)).toBe(false);
    expect(existsSync(folder)).toBe(false);
  });

  // Elsewhere the kernel does not offer it.
  it.runIf(process.platform === "linux")("leaves no process behind after SIGKILL", async () => {
    const { child, server, folder } = await start();
    child.kill("SIGKILL");
    await once(child, "exit");
    await until("the server is gone", async () => !(await listens(server)));
    await rm(folder, { recursive: true });
  });
});

async function start(): Promise<{ child: ChildProcess; server: Address; folder: string }> {
  const args = [join(tool, "dist/main.js"), "redis", "--using", "program"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /^PQ_REDIS_URL=redis:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    if (port === undefined) continue;
    const server = { host: "127.0.0.1", port: Number(port) };
    const [, folder] = (await request(server, "CONFIG", "GET", "dir")) as readonly [string, string];
    return { child, server, folder };
  }
  throw new Error("It ended without an address.");
}
