import assert from "node:assert/strict";
import { texts } from "../jobs.ts";
import { LONGEST_NAMES, ODD_NAMES } from "../odd-names.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

/** Queues of these names, each with one job that carries the name. */
async function queuesNamed(t: RuleContext, names: readonly string[]) {
  const first = await seam(t, names[0]);
  const queues = names.map((name) => first.sibling(name));
  await Promise.all(queues.map((q) => q.put(job(q.name))));
  return queues;
}

/** Every queue gives out the job that was put there, and nothing else. */
async function assertApart(t: RuleContext, names: readonly string[]): Promise<void> {
  const queues = await queuesNamed(t, names);
  const drain = async (q: SeamQueue): Promise<void> => {
    const taken = await q.take(names.length);
    const what = `queue ${JSON.stringify(q.name)}`;
    assert.deepEqual(texts(taken), [q.name], `${what} gave out other jobs than its own`);
    for (const one of taken) assert.equal(await q.ack(one), "gone", what);
  };
  await Promise.all(queues.map(drain));
}

export const names: readonly Rule[] = [
  {
    id: "names.queues-are-apart",
    title: "a queue may have any name, and queues whose names differ in anything are different queues",
    promise: "seam",
    async run(t) {
      await assertApart(t, ODD_NAMES);
    },
  },
  {
    id: "names.longest",
    title: "names of 255 bytes of UTF-8 are told apart by their last byte",
    promise: "P12",
    async run(t) {
      await assertApart(t, LONGEST_NAMES);
    },
  },
  {
    id: "names.listed-as-given",
    title: "queues() gives names back as they were given", // tarantool T17
    promise: "seam",
    async run(t) {
      const all = [...ODD_NAMES, ...LONGEST_NAMES];
      const [first] = await queuesNamed(t, all);
      const listed = (await first?.backend.queues()) ?? [];
      assert.deepEqual([...listed].toSorted(), all.toSorted());
    },
  },
  {
    id: "names.operators-stay-inside",
    title: "truncate, pause and stats of a queue touch no other, whatever pattern or path its name looks like",
    promise: "seam",
    async run(t) {
      const queues = await queuesNamed(t, ["a", "a/b", "a:b", "ab", "*", "a*", "..", " ", "{a}"]);
      for (const q of queues) {
        assert.equal(
          (await q.control("truncate")).count,
          1,
          `truncate of ${JSON.stringify(q.name)} removed more than its own`,
        );
        const { ready, counters } = await q.stats();
        assert.deepEqual([ready, counters.put, counters.delete], [0, 1, 1]);
        await q.control("pause");
      }
      const other = queues[0]?.sibling("other");
      await other?.put(job("job"));
      await other?.takeOne("job");
    },
  },
  {
    id: "names.groups-are-apart",
    title: "a group may have any name, and groups whose names differ in anything are different groups",
    promise: "seam",
    needs: { capability: "groups" },
    async run(t) {
      const q = await seam(t);
      const all = [...ODD_NAMES, ...LONGEST_NAMES];
      await q.put(...all.map((group) => job(group, { group })));
      const taken = await q.take(all.length + 1);
      assert.deepEqual(texts(taken), all, "groups of different names held each other back");
      taken.forEach(({ group }, index) => assert.equal(group, all[index], "a group came back with another name"));
      await q.put(...all.map((group) => job("second", { group })));
      assert.deepEqual(await q.takeNames(1), [], "a group was not recognised by its name");
    },
  },
  {
    id: "names.keys-are-apart",
    title: "a key may be any text, and keys that differ in anything are different keys",
    promise: "seam",
    needs: { capability: "keys" },
    async run(t) {
      const q = await seam(t);
      const all = [...ODD_NAMES, ...LONGEST_NAMES];
      const jobs = all.map((key) => job(key, { key }));
      for (const [index, { status }] of (await q.put(...jobs)).entries()) {
        assert.equal(status, "added", `the key ${JSON.stringify(all[index])} was taken for another`);
      }
      assert.deepEqual(
        (await q.list("ready")).map(({ key }) => key),
        all,
        "a key came back as another text",
      );
      const again = await q.put(...all.map((key) => job("second", { key })));
      again.forEach((outcome, index) => {
        assert.deepEqual(
          outcome,
          { status: "duplicate", id: jobs[index]?.id },
          `the key ${JSON.stringify(all[index])}`,
        );
      });
    },
  },
];
