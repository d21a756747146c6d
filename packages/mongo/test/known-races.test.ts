/** Races in groups that once went wrong, step by step, on a store in memory: `races.test.ts` looks for more of them. */
import type { NewJob } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { expect, test, vi } from "vitest";
import type { LaneDocument } from "../src/schema.ts";
import { MemoryStore } from "./memory-store.ts";
import { Script } from "./script.ts";
import { ack, inMemory } from "./stage.ts";

vi.mock("@pq/core/backend", async (original) => ({ ...(await original<object>()), sleep: () => Promise.resolve() }));

const member = (fields: Partial<Omit<NewJob, "payload">> = {}): NewJob =>
  newJob({ group: "g", payload: "", ...fields });

test("a member that falls due is not forgotten, though somebody who read its page before goes on", async () => {
  const store = new MemoryStore((values) => [...values]);
  const script = new Script(inMemory(store), "q", 0);
  const pages = (): readonly Record<string, unknown>[] => [...store.documents("pages").values()];
  const lane = (): LaneDocument | undefined =>
    [...store.documents("lanes").values()].find(({ page }) => page === pages()[1]!["_id"]) as LaneDocument | undefined;
  const [head, first, delayed, second] = [member(), member(), member({ due: { in: 10 } }), member()];

  const quick = script.actor();
  await script.end(quick, quick.put(head));
  await script.end(quick, quick.take(1));
  // A put stands still when its page is stored.
  const slow = script.actor();
  const put = slow.put(first, delayed);
  await script.until(slow, () => pages().length === 2);
  await script.end(quick, quick.put(second));
  // Somebody deletes the head, and the first job of that page: it is stored, and whose turn it was is read.
  const removed = quick.remove(head.id, first.id);
  await script.until(quick, () => pages()[0]!["todo"] !== undefined && pages()[1]!["v"] === 1);
  await script.steps(quick, 1);
  // The put enters the job that it knows, finds its page changed, reads it when the other job is due, and enters that.
  await script.until(slow, () => lane() !== undefined);
  const { v } = lane()!;
  store.now += 10;
  await script.until(slow, () => lane()!.v !== v);
  // Who deleted finds the page in the lane. It has the version that he knows, when nothing of it was due.
  await script.steps(quick, 3);
  await script.end(slow, put);
  await script.end(quick, removed);

  for (const { id } of [second, delayed]) {
    const taken = await script.end(quick, quick.take(1));
    expect(taken.map((job) => job.id)).toEqual([id]);
    await script.end(quick, quick.settle(ack, ...taken));
  }
});

test("a turn that is given too late, to a job that is over, keeps nobody waiting", async () => {
  const store = new MemoryStore((values) => [...values]);
  const script = new Script(inMemory(store), "q", 0);
  // A put stores its page, and reads that it is nobody's turn.
  const slow = script.actor();
  const put = slow.put(member({ ttl: 10 }));
  await script.until(slow, () => store.documents("lanes").size === 1);
  // The job is over, and its group looked after.
  store.now += 10;
  const quick = script.actor();
  await script.end(quick, quick.lookAfter());
  await script.end(slow, put);
  expect(store.documents("groups").size).toBe(1);

  const next = member();
  await script.end(quick, quick.put(next));
  const taken = await script.end(quick, quick.take(1));
  expect(taken.map(({ id }) => id)).toEqual([next.id]);
  await script.end(quick, quick.settle(ack, ...taken));
  expect(store.documents("groups").size).toBe(0);
});
