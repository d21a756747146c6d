import { newRequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deliver } from "../src/page/life.ts";
import type { Page } from "../src/page/page.ts";
import type { Written } from "../src/pages.ts";
import { interrupting, type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("writing many pages at once", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  const jobs = [newJob("a"), newJob("b"), newJob("c")];

  async function threePages(): Promise<PageQueue> {
    const queue = await store.queue();
    for (const job of jobs) await queue.put(job);
    return queue;
  }

  /** The jobs that these pages have, by their places in `jobs`. */
  function placesOf(pages: Iterable<Page>): number[] {
    return [...pages].map((page) => jobs.findIndex(({ id }) => id === page.jobs[0]!.id)).toSorted((a, b) => a - b);
  }

  /** What is stored of the leases, by the requests that have them. */
  async function leasedBy(queue: PageQueue): Promise<(string | null)[]> {
    const seen = await queue.parts.pages.read(queue.call(), {});
    const all = seen.flatMap(({ page }) => page.jobs);
    return jobs.map(({ id }) => all.find((job) => job.id === id)!.takenBy);
  }

  test("tells those that were written, whichever another changes, and whenever", async () => {
    const request = newRequestId();
    let found: Written = { written: new Set(), unsure: new Set() };
    let all: Page[] = [];
    const seen = new Set<string>();
    await interrupting(
      threePages,
      async (queue, call) => {
        const read = await queue.parts.pages.read(queue.call(), {});
        all = read.map(({ page }) => page);
        for (const { page, now } of read) deliver(page, page.jobs[0]!, { request, lease: 60_000, turn: 0, now });
        // The second is changed by another before any of them is written.
        const other = await queue.parts.pages.read(queue.call(), {});
        const second = other.find(({ page }) => page.jobs[0]!.id === jobs[1]!.id)!;
        deliver(second.page, second.page.jobs[0]!, { request: newRequestId(), lease: 1, turn: 0, now: second.now });
        await queue.parts.pages.writeAll(queue.call(), [second.page]);
        found = await queue.parts.pages.write(call, all);
      },
      // And the third by yet another, before or after.
      (queue) => queue.change(jobs[2]!.id, (page) => (page.changed = true)),
      async (queue) => {
        const { written, unsure } = found;
        const places = placesOf(written);
        seen.add([places.join(), ...placesOf(unsure).map((place) => `perhaps ${place}`)].join(", "));
        expect(places).not.toContain(1);
        const leases = await leasedBy(queue);
        for (const place of places) expect(leases[place]).toBe(request);
        for (const page of all) {
          expect([page.changed, page.version]).toEqual(written.has(page) ? [false, 1] : [true, 0]);
        }
      },
    );
    // Before the write, the third is lost; between the write and the look at what was written, it is not known; else it is written.
    expect(seen).toEqual(new Set(["0", "0, perhaps 2", "0,2"]));
  });
});
