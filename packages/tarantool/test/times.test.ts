/** Times so far away that Lua has them as objects and not as numbers: from 10^14 on. */
import { newRequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available, startTarantool, type TarantoolServer } from "@pq/services";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TarantoolBackend } from "../src/backend.ts";
import { resolveOptions } from "../src/options.ts";

const there = await available("tarantool", "program");
const FAR = Number.MAX_SAFE_INTEGER;
const TOO_FAR_TO_ADD = FAR - 10 ** 14;

let server: TarantoolServer;
let backend: TarantoolBackend;

beforeAll(async () => {
  if (!there.available) return;
  server = await startTarantool({ using: "program" });
  backend = new TarantoolBackend(resolveOptions(server.url));
  await backend.open({ report: () => undefined });
});

afterAll(async () => {
  await backend?.close();
  await server?.close();
});

test.skipIf(!there.available)(
  "delays, TTLs, leases, kept results and limits may be as long as a number can say",
  async () => {
    const queue = "far";
    const call = () => ({ request: newRequestId(), queue });
    const put = (...jobs: ReturnType<typeof newJob>[]) =>
      backend.put({ ...call(), after: null, jobs, maxSize: FAR, partial: false, transaction: null });
    const far = newJob({ payload: "", due: { at: FAR }, ttl: TOO_FAR_TO_ADD });
    const long = newJob({ payload: "", ttl: TOO_FAR_TO_ADD, lease: TOO_FAR_TO_ADD, keepResult: TOO_FAR_TO_ADD });
    expect(await put(far, long, newJob({ payload: "", due: { in: TOO_FAR_TO_ADD } }))).toHaveLength(3);

    const waiting = backend.wait({ queue: "empty", timeout: 50, signal: AbortSignal.timeout(1000) });
    const [held] = await backend.take({ ...call(), limit: FAR, lease: TOO_FAR_TO_ADD });
    expect(held).toMatchObject({ id: long.id, lease: TOO_FAR_TO_ADD });
    const proof = { id: held!.id, fence: held!.fence };
    expect(await backend.touch({ ...call(), items: [{ ...proof, lease: TOO_FAR_TO_ADD, progress: null }] })).toEqual([
      true,
    ]);
    expect(await backend.settle({ ...call(), items: [{ ...proof, type: "release", delay: TOO_FAR_TO_ADD }] })).toEqual([
      "delayed",
    ]);
    await backend.wait({ queue, timeout: 50, signal: AbortSignal.timeout(1000) });
    await waiting;

    const { jobs } = await backend.read({ queue, ids: [far.id] });
    expect(jobs[0]).toMatchObject({ state: "delayed", dueAt: FAR });
    expect((await backend.read({ queue, state: "delayed", limit: 2, cursor: null })).jobs).toHaveLength(2);
    expect(await backend.control({ ...call(), type: "kick", limit: FAR })).toEqual({ count: 0, outcomes: [] });
    expect(await backend.control({ ...call(), type: "delete", ids: [far.id, long.id] })).toMatchObject({ count: 2 });
  },
);

test.skipIf(!there.available)("a result may be kept as long", async () => {
  const queue = "kept";
  const call = () => ({ request: newRequestId(), queue });
  const jobs = [newJob({ payload: "", keepResult: TOO_FAR_TO_ADD })];
  await backend.put({ ...call(), after: null, jobs, maxSize: null, partial: false, transaction: null });
  const [held] = await backend.take({ ...call(), limit: 1, lease: 1000 });
  const ack = { id: held!.id, fence: held!.fence, type: "ack", result: null } as const;
  expect(await backend.settle({ ...call(), items: [ack] })).toEqual(["done"]);
  expect((await backend.read({ queue, state: "done", limit: 5, cursor: null })).jobs).toHaveLength(1);
  expect(await backend.stats(queue)).toMatchObject({ done: 1 });
});
