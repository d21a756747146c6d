import { expect, test } from "vitest";
import { Queue } from "../src/index.ts";
import { ManualClock, memory } from "../src/testing/index.ts";

test("a job goes in and comes out", async () => {
  await using queue = new Queue<{ n: number }>("q", { backend: memory() });
  const { id, status } = await queue.put({ n: 1 });
  expect(status).toBe("added");
  const job = await queue.take();
  expect(job?.payload).toEqual({ n: 1 });
  expect(job?.id).toBe(id);
  await job?.ack();
  expect(await queue.size()).toBe(0);
});

test("a waiting take gets a job that is put later", async () => {
  const clock = new ManualClock();
  await using queue = new Queue("q", { backend: memory({ clock }), clock });
  const taking = queue.take({ wait: true });
  await clock.advance(100);
  await queue.put("x");
  expect((await taking)?.payload).toBe("x");
});
