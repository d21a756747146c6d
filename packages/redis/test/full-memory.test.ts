import { newRequestId } from "@pq/core/backend";
import { available, type RedisFlavour } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { code, newJob, newJobs, type Seam, Site, texts } from "./support.ts";

const flavours: readonly RedisFlavour[] = ["redis", "valkey"];

for (const flavour of flavours) {
  const there = await available(flavour, "program");

  describe.skipIf(!there.available)(`a ${flavour} whose memory is full`, () => {
    let site: Site;
    let seam: Seam;

    beforeEach(async () => {
      site = await Site.start(["--maxmemory-policy", "noeviction"], flavour);
      seam = await site.queue();
    });

    afterEach(async () => site.close());

    /** From now on the server refuses whatever needs memory. */
    async function fill(): Promise<void> {
      await site.admin.config("SET", "maxmemory", "1");
    }

    test("refuses a put as not applied, and keeps nothing of it", async () => {
      await seam.put(newJob("there"), newJob("keyed", { key: "k" }));
      await fill();
      const before = await site.contents();
      const plain = newJob("plain");
      const request = newRequestId();
      const put = (): Promise<unknown> =>
        seam.backend.put({
          request,
          after: null,
          queue: "q",
          jobs: [plain],
          maxSize: null,
          partial: false,
          transaction: null,
        });
      expect(await code(put())).toBe("UNAVAILABLE");
      expect(await code(seam.put(...newJobs(1000)))).toBe("UNAVAILABLE");
      const fields = { key: "new", group: "g", ttl: 60_000, priority: 3, due: { in: 1000 } };
      expect(await code(seam.put(newJob("all", fields), newJob("plain")))).toBe("UNAVAILABLE");
      expect(await code(seam.put(newJob("urgent", { urgent: true })))).toBe("UNAVAILABLE");
      await expect(seam.put(newJob("plain"))).rejects.toThrow("its memory is full");
      expect(await site.contents()).toEqual(before);
      // The same request succeeds once there is room.
      await site.admin.config("SET", "maxmemory", "0");
      expect(await put()).toEqual([{ status: "added" }]);
      expect((await seam.stats()).ready).toBe(3);
    });

    test("lets work go on that frees memory: take, ack, release, bury, fail, requeue and touch", async () => {
      const names = ["ack", "release", "bury", "fail", "requeue", "touch"];
      await seam.put(...names.map((name) => newJob(name)));
      await fill();
      const jobs = await seam.take(10);
      expect(texts(jobs)).toEqual(names);
      const [ack, release, bury, fail, requeue, touch] = jobs.map(({ id, fence }) => ({ id, fence }));
      expect(await seam.touch(120_000, touch!)).toEqual([true]);
      const outcomes = await Promise.all([
        seam.settle({ ...ack!, type: "ack", result: null }),
        seam.settle({ ...release!, type: "release", delay: 0 }),
        seam.settle({ ...bury!, type: "bury", error: "why" }),
        seam.settle({ ...fail!, type: "fail", error: "why", delay: 0 }),
        seam.settle({ ...requeue!, type: "requeue" }),
      ]);
      expect(outcomes.flat()).toEqual(["gone", "ready", "buried", "ready", "ready"]);
      expect(texts(await seam.take(10))).toEqual(["release", "fail", "requeue"]);
    });

    test("lets work go on with jobs that have all features", async () => {
      const fields = { ttl: 600_000, lease: 60_000, keepResult: 60_000, priority: 1, maxAttempts: 1000 };
      await seam.put(...["a", "b", "c"].map((name) => newJob(name, { ...fields, key: name, group: name })));
      await fill();
      const [a, b, c] = await seam.take(10);
      expect(await seam.settle({ id: a!.id, fence: a!.fence, type: "ack", result: Buffer.from("r") })).toEqual([
        "done",
      ]);
      expect(await seam.settle({ id: b!.id, fence: b!.fence, type: "release", delay: 10_000 })).toEqual(["delayed"]);
      expect(await seam.touch(60_000, c!)).toEqual([true]);
      expect(await seam.bury(c!)).toEqual(["buried"]);
    });

    test("lets operators make room: delete, truncate, kick, pause and resume", async () => {
      await seam.put(...newJobs(10), newJob("buried", { priority: -1 }));
      const [buried] = await seam.take(1);
      await seam.bury(buried!);
      const { jobs } = await seam.backend.read({ queue: "q", state: "ready", limit: 1, cursor: null });
      await fill();
      expect(await seam.delete(jobs[0]!.id)).toMatchObject({ count: 1 });
      expect(await seam.kick(1)).toMatchObject({ count: 1 });
      expect(await code(seam.control("pause"))).toBe("done");
      expect(await code(seam.control("resume"))).toBe("done");
      expect(await seam.stats()).toMatchObject({ ready: 10, paused: false });
      expect(await seam.control("truncate")).toMatchObject({ count: 10 });
    });

    test("gives back what its consumers lost: an expired lease, a due delay", async () => {
      await seam.put(newJob("leased"), newJob("delayed", { due: { in: 100 } }));
      await seam.take(1, 100);
      await fill();
      const got: string[] = [];
      while (got.length < 2) {
        const jobs = await seam.take(10);
        got.push(...texts(jobs));
        if (jobs.length === 0) await seam.wait(1000);
      }
      expect(got.toSorted()).toEqual(["delayed", "leased"]);
    });
  });
}
