import assert from "node:assert/strict";
import { texts } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, range, restart, seam, type SeamQueue } from "../seam-queue.ts";

const needs = { capability: "groups" } as const;

/** A queue with jobs of the group `g`, one for each name. */
async function lane(t: RuleContext, ...names: readonly string[]): Promise<SeamQueue> {
  const q = await seam(t);
  await q.put(...names.map((name) => job(name, { group: "g" })));
  return q;
}

export const groups: readonly Rule[] = [
  {
    id: "groups.one-at-a-time",
    title: "the members of a group come strictly first in, first out, each after the one before it is settled", // tarantool N25
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      for (const name of ["1", "2", "3"]) {
        const taken = await q.take(10);
        assert.deepEqual(texts(taken), [name], "exactly the head of the group was to come");
        assert.deepEqual(await q.takeNames(10), [], "a second member came while the first was leased");
        for (const each of taken) await q.ack(each);
      }
    },
  },
  {
    id: "groups.batch-takes-one-of-each",
    title:
      "a take of many gives at most one job of each group, and groups and ungrouped jobs in the order of their places",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      const places = [
        ["a1", "a"],
        ["x", null],
        ["b1", "b"],
        ["a2", "a"],
        ["y", null],
        ["b2", "b"],
      ] as const;
      await q.put(...places.map(([name, group]) => job(name, { group })));
      const taken = await q.take(10);
      assert.deepEqual(texts(taken), ["a1", "x", "b1", "y"]);
      for (const each of taken) await q.ack(each);
      assert.deepEqual(await q.takeNames(10), ["a2", "b2"]);
    },
  },
  {
    id: "groups.order-across-release",
    title: "a released member comes again before those behind it", // tarantool N25
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      await q.release(await q.takeOne("1"));
      assert.deepEqual(await q.drain(), ["1", "2", "3"]);
    },
  },
  {
    id: "groups.order-across-lease-expiry",
    title: "a member whose lease ran out comes again before those behind it",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      await q.takeOne("1", 30);
      await q.passDue(30);
      assert.deepEqual(await q.drain(), ["1", "2", "3"]);
    },
  },
  {
    id: "groups.retry-holds-back",
    title: "a member that waits for its retry holds back those behind it, and nobody else",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2");
      await q.put(job("other"));
      await q.fail(await q.takeOne("1"), "try again", 300);
      assert.deepEqual(
        await q.takeNames(10),
        ["other"],
        "a job overtook the member before it that waits for its retry",
      );
      await q.passDue(300);
      assert.deepEqual(await q.drain(), ["1", "2"]);
    },
  },
  {
    id: "groups.delayed-release-holds-back",
    title: "a member released with a delay holds back those behind it",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2");
      await q.release(await q.takeOne("1"), 300);
      assert.deepEqual(await q.takeNames(10), [], "a job overtook the member before it that was released with a delay");
      await q.passDue(300);
      assert.deepEqual(await q.drain(), ["1", "2"]);
    },
  },
  {
    id: "groups.buried-head-frees",
    title: "a buried member frees its group, and is its last when it is kicked", // tarantool N25
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      await q.bury(await q.takeOne("1"));
      const second = await q.takeOne("2");
      await q.kick();
      assert.deepEqual(await q.takeNames(10), [], "a kicked member came while another was leased");
      await q.ack(second);
      assert.deepEqual(await q.drain(), ["3", "1"]);
    },
  },
  {
    id: "groups.deleted-head-frees",
    title: "a deleted member frees its group, leased or not",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      await q.delete((await q.takeOne("1")).id);
      const [second] = await q.list("ready");
      assert.ok(second);
      await q.delete(second.id);
      await q.takeOne("3");
    },
  },
  {
    id: "groups.delayed-put-has-no-place",
    title: "a member put with a delay holds nobody back, and takes its place when it falls due",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("late", { group: "g", due: { in: 300 } }), job("1", { group: "g" }), job("2", { group: "g" }));
      const first = await q.takeOne("1");
      await q.passDue(300);
      await q.take(10);
      await q.put(job("3", { group: "g" }));
      await q.ack(first);
      assert.deepEqual(await q.drain(), ["2", "late", "3"]);
    },
  },
  {
    id: "groups.priority-does-not-overtake",
    title: "priority decides between groups and ungrouped jobs, and never inside a group",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("g1", { group: "g", priority: 5 }), job("g2", { group: "g", priority: 0 }));
      await q.put(job("h1", { group: "h", priority: 4 }), job("lone", { priority: 3 }));
      assert.deepEqual(await q.drain(), ["lone", "h1", "g1", "g2"]);
    },
  },
  {
    id: "groups.returned-before-freed",
    title: "a returned job comes before a group's member that was never delivered, though that was put earlier",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2");
      await q.put(job("lone"));
      const head = await q.takeOne("1");
      await q.release(await q.takeOne("lone"));
      await q.ack(head);
      assert.deepEqual(texts(await q.list("ready")), ["lone", "2"], "returned jobs are listed before the others");
      assert.deepEqual(await q.drain(), ["lone", "2"]);
    },
  },
  {
    id: "groups.urgent-member-is-head",
    title: "an urgent member is the head of its group",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1", "2");
      await q.put(job("urgent", { group: "g", urgent: true }), job("lone", { priority: -9 }));
      assert.deepEqual(await q.drain(), ["urgent", "lone", "1", "2"]);
    },
  },
  {
    id: "groups.busy-group-blocks-no-other",
    title: "a busy group with very many members before all others blocks nobody else", // tarantool D1
    promise: "P7",
    needs,
    async run(t) {
      const q = await lane(t, "head");
      await q.takeOne("head");
      await q.putAll(range(1_500).map((index) => job(`${index}`, { group: "g", priority: -1 })));
      await q.put(job("h", { group: "h" }), job("lone"));
      assert.deepEqual(await q.takeNames(10), ["h", "lone"], "jobs behind those of a busy group were not found");
    },
  },
  {
    id: "groups.racing-consumers",
    title: "two consumers that take at the same moment never both get a member of one group",
    promise: "order",
    needs,
    async run(t) {
      const [a, b] = [await seam(t), await seam(t)];
      const names = range(20).map(String);
      await a.put(...names.map((name) => job(name, { group: "g" })));
      for (const name of names) {
        const taken = (await Promise.all([a.take(2), b.take(2)])).flat();
        assert.deepEqual(texts(taken), [name], "of several takes exactly one was to get the head of the group");
        for (const each of taken) await a.ack(each);
      }
    },
  },
  {
    id: "groups.apart-by-queue",
    title: "groups of one name in two queues know nothing of each other",
    promise: "order",
    needs,
    async run(t) {
      const q = await lane(t, "1");
      const other = q.sibling("other");
      await other.put(job("2", { group: "g" }));
      await q.takeOne("1");
      await other.takeOne("2");
    },
  },
  {
    id: "groups.kept-by-restart",
    title: "after a restart of the store a group still gives out one member at a time, in order",
    promise: "order",
    needs: { ...needs, faults: ["restart"] },
    async run(t) {
      const q = await lane(t, "1", "2", "3");
      const before = await q.takeOne("1");
      await restart(t, q);
      const [again, ...more] = await q.take(10);
      assert.deepEqual(texts(more), [], "two members came after the restart");
      if (again === undefined) {
        assert.equal(await q.ack(before), "gone", "nothing came, so the lease was to be valid still");
      } else {
        assert.deepEqual(texts([again]), ["1"], "the lease was given up by the restart, so its job was to come again");
        await q.ack(again);
      }
      assert.deepEqual(await q.drain(), ["2", "3"]);
    },
  },
];
