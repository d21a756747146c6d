import { newRequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Call } from "../src/call.ts";
import { remove } from "../src/page/life.ts";
import { readStats } from "../src/stats.ts";
import { type Plan, workOff } from "../src/steps.ts";
import { interrupting, type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("a call in steps", { timeout: 120_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  /** Removes the jobs of all pages that it sees at its beginning, one page in each step. */
  function onePageEach(queue: PageQueue, call: Call): Plan {
    let chosen: string[] | undefined;
    return {
      async next() {
        const pages = await call.read(({ pages }) => pages.find({ q: queue.name, in: "ready" }).toArray());
        chosen ??= pages.map(({ _id }) => _id).toSorted();
        const page = chosen.shift();
        return page === undefined ? null : [{ page, jobs: null }];
      },
      concerns: ({ state }) => state !== "gone",
      async change(targets) {
        for (const { page, job, now } of targets) remove(page, job, "delete", now);
      },
    };
  }

  /** A call that may be made by several at once, and broken off. */
  type Run = (queue: PageQueue, call: Call) => Promise<number>;

  const newRun = (): Run => {
    const request = newRequestId();
    return (queue, call) => workOff({ call, parts: queue.parts, request }, () => onePageEach(queue, call));
  };

  async function pages(): Promise<PageQueue> {
    const queue = await store.queue();
    await queue.put(newJob(), newJob());
    await queue.put(newJob());
    return queue;
  }

  test("counts each job once, though another makes the same call before any command and gets more or less far", async () => {
    let reached = true;
    for (let commands = 1; reached; commands += 2) {
      reached = false;
      let run = newRun();
      let count = 0;
      await interrupting(
        () => {
          run = newRun();
          return pages();
        },
        async (queue, call) => {
          count = await run(queue, call);
        },
        async (queue) => {
          await run(queue, queue.call(commands)).catch(() => {
            reached = true;
          });
        },
        async (queue) => {
          expect(count, `${commands} commands`).toBe(3);
          expect(await run(queue, queue.call())).toBe(3);
          expect((await readStats(queue.call(), queue.parts)).counters.delete).toBe(3);
        },
      );
    }
  });
});
