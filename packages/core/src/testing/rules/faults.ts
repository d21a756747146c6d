/** What users see when the connection or the store fails: outcomes that are right, nothing doubled, nothing lost, and everything going on by itself. */
import assert from "node:assert/strict";
import { bytes as bytesCodec } from "../../codec.ts";
import { newJobId } from "../../id.ts";
import type { Queue } from "../../queue.ts";
import { bytes, text, texts } from "../jobs.ts";
import { outcomesOf, passUntil, resolved } from "../passing.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

type Bytes = Uint8Array;

/** A queue as users hold it, open, and the same queue on a connection of its own to look on. */
async function open(t: RuleContext, options: { readonly deadline?: number } = {}) {
  const queue = t.queue<Bytes>("q", { codec: bytesCodec, ...options });
  await queue.ready();
  return { queue, q: await seam(t) };
}

/** What a rule about one lost message works with. */
interface Lossy {
  readonly queue: Queue<Bytes>;
  /** Looks on. */
  readonly q: SeamQueue;
  /** Make this call; its message is lost, and yet it must succeed. */
  readonly lose: <T>(call: () => Promise<T>) => Promise<T>;
}

/** A rule for the lost reply of one operation: the store has done it, and core asks again. */
function lostReply(operation: string, title: string, run: (lossy: Lossy) => Promise<void>): Rule {
  return {
    id: `faults.lost-reply-of-${operation}`,
    title,
    promise: "P4",
    needs: { faults: ["loseReply"] },
    async run(t) {
      const { queue, q } = await open(t);
      const lose = <T>(call: () => Promise<T>): Promise<T> => {
        t.store.faults.loseReply?.();
        return resolved(t, call(), `${operation} whose reply was lost`);
      };
      await run({ queue, q, lose });
    },
  };
}

/** Put one job and take it as a user. */
async function held({ queue, q }: Lossy, name = "job") {
  await q.put(job(name));
  const taken = await queue.take();
  assert.ok(taken !== null, "take gave nothing though a job was ready");
  return taken;
}

export const faults: readonly Rule[] = [
  lostReply("put", "a put whose reply is lost stores its job once, and says `added`", async ({ queue, q, lose }) => {
    const { id, status } = await lose(() => queue.put(bytes("job")));
    assert.equal(status, "added");
    assert.deepEqual(
      (await q.list("ready")).map((one) => one.id),
      [id],
      "the put stored other than its one job",
    );
    assert.equal((await q.stats()).counters.put, 1);
  }),
  lostReply("put-many", "a putMany whose reply is lost stores its jobs once, in order", async ({ queue, q, lose }) => {
    const outcomes = await lose(() => queue.putMany(["1", "2", "3"].map((name) => bytes(name))));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["added", "added", "added"],
    );
    assert.deepEqual(await q.drain(), ["1", "2", "3"]);
  }),
  lostReply(
    "take",
    "a take whose reply is lost gives its job, strands none and burns no attempt",
    async ({ queue, q, lose }) => {
      await q.put(job("1"), job("2"));
      const taken = await lose(() => queue.take());
      assert.deepEqual([taken && text(taken), taken?.attempt], ["1", 1]);
      assert.deepEqual(texts(await q.list("leased")), ["1"], "a job is leased to nobody");
      await taken?.ack();
      assert.deepEqual(await q.drain(), ["2"]);
    },
  ),
  lostReply("ack", "an ack whose reply is lost succeeds, and the job does not come again", async (lossy) => {
    const taken = await held(lossy);
    await lossy.lose(() => taken.ack());
    const { ready, leased, counters } = await lossy.q.stats();
    assert.deepEqual([ready, leased, counters.ack], [0, 0, 1]);
  }),
  lostReply("release", "a release whose reply is lost gives the attempt back once", async (lossy) => {
    const taken = await held(lossy);
    await lossy.lose(() => taken.release());
    assert.equal((await lossy.q.takeOne("job")).attempt, 1);
    assert.equal((await lossy.q.stats()).counters.release, 1);
  }),
  lostReply("requeue", "a requeue whose reply is lost sends the job to the end once", async (lossy) => {
    const taken = await held(lossy);
    await lossy.q.put(job("other"));
    await lossy.lose(() => taken.requeue());
    assert.deepEqual(texts(await lossy.q.take(2)), ["other", "job"]);
    assert.equal((await lossy.q.stats()).counters.requeue, 1);
  }),
  lostReply("fail", "a fail whose reply is lost counts one attempt", async (lossy) => {
    const taken = await held(lossy);
    await lossy.lose(() => taken.fail(new Error("it broke"), { delay: 0 }));
    const again = await lossy.q.takeOne("job");
    assert.equal(again.attempt, 2);
    assert.match(again.lastError ?? "", /it broke/);
    assert.equal((await lossy.q.stats()).counters.fail, 1);
  }),
  lostReply("bury", "a bury whose reply is lost buries the job once", async (lossy) => {
    const taken = await held(lossy);
    await lossy.lose(() => taken.bury());
    const { buried, counters } = await lossy.q.stats();
    assert.deepEqual([buried, counters.bury], [1, 1]);
  }),
  lostReply("touch", "a touch whose reply is lost extends the lease, and counts once", async (lossy) => {
    const taken = await held(lossy);
    await lossy.lose(() => taken.progress(bytes("half")));
    assert.deepEqual(
      texts((await lossy.q.list("leased")).map(({ progress }) => ({ payload: progress ?? bytes("") }))),
      ["half"],
    );
    assert.equal((await lossy.q.stats()).counters.touch, 1);
    await taken.ack();
  }),
  lostReply("kick", "a kick whose reply is lost revives as many jobs as it says", async ({ queue, q, lose }) => {
    await q.put(job("1"), job("2"));
    for (const one of await q.take(2)) await q.bury(one);
    assert.equal(await lose(() => queue.kick(1)), 1);
    const { ready, buried } = await q.stats();
    assert.deepEqual([ready, buried], [1, 1]);
  }),
  lostReply("dig", "a dig whose reply is lost revives its job, and succeeds", async ({ queue, q, lose }) => {
    await q.put(job("job"));
    const one = await q.takeOne("job");
    await q.bury(one);
    await lose(() => queue.dig(one.id));
    assert.deepEqual(texts(await q.list("ready")), ["job"]);
  }),
  lostReply("delete", "a delete whose reply is lost says that it removed its job", async ({ queue, q, lose }) => {
    const one = job("job");
    await q.put(one);
    assert.equal(await lose(() => queue.delete(one.id)), true);
    assert.equal(await q.find(one.id), undefined);
  }),
  lostReply("truncate", "a truncate whose reply is lost says how many jobs it removed", async ({ queue, q, lose }) => {
    await q.put(job("1"), job("2"));
    assert.equal(await lose(() => queue.truncate()), 2);
  }),
  lostReply("pause", "a pause or resume whose reply is lost has been done", async ({ queue, q, lose }) => {
    await q.put(job("job"));
    await lose(() => queue.pause());
    assert.deepEqual(await q.takeNames(1), []);
    await lose(() => queue.resume());
    await q.takeOne("job");
  }),
  lostReply(
    "reads",
    "peek, list, stats and size whose replies are lost tell what there is",
    async ({ queue, q, lose }) => {
      const one = job("job");
      await q.put(one);
      assert.equal((await lose(() => queue.peek(one.id)))?.id, one.id, "a peek of a job that is there found nothing");
      assert.equal((await lose(() => queue.list({ state: "ready" }))).jobs.length, 1);
      assert.equal((await lose(() => queue.stats())).ready, 1);
      assert.equal(await lose(() => queue.size()), 1);
    },
  ),
  {
    id: "faults.lost-request",
    title: "a call whose request is lost is made again, and does what it says",
    promise: "P3",
    needs: { faults: ["loseRequest"] },
    async run(t) {
      const { queue, q } = await open(t);
      const lose = <T>(call: () => Promise<T>, what: string): Promise<T> => {
        t.store.faults.loseRequest?.();
        return resolved(t, call(), `${what} whose request was lost`);
      };
      await lose(() => queue.put(bytes("1")), "a put");
      await lose(() => queue.putMany([bytes("2"), bytes("3")]), "a putMany");
      assert.deepEqual(texts(await q.list("ready")), ["1", "2", "3"], "a put resolved, but its job is not there");
      const [first, second] = [await lose(() => queue.take(), "a take"), await queue.take()];
      assert.ok(first !== null && second !== null, "a take gave nothing though jobs were ready");
      await lose(() => first.ack(), "an ack");
      await lose(() => second.bury(), "a bury");
      assert.deepEqual(texts(await q.list("buried")), ["2"], "a settlement resolved, but nothing was settled");
      assert.equal(await lose(() => queue.kick(1), "a kick"), 1);
      assert.equal((await q.stats()).counters.ack, 1);
    },
  },
  {
    id: "faults.cut-while-waiting",
    title: "a consumer that waits while its connection is cut gets the next job by itself",
    promise: "P7",
    needs: { faults: ["cut"] },
    async run(t) {
      const { queue, q } = await open(t);
      const over = new AbortController();
      const taking = queue.take({ wait: true, signal: over.signal });
      await t.pass(50);
      t.store.faults.cut?.();
      await t.eventually(() => q.put(job("job")));
      try {
        const taken = await resolved(t, taking, "a take that waited while the connection was cut", 4_000);
        assert.equal(taken && text(taken), "job");
      } finally {
        over.abort();
      }
    },
  },
  {
    id: "faults.half-open",
    title: "while nothing passes each call settles by its deadline as not applied or unknown, and after it all goes on",
    promise: "P3",
    needs: { faults: ["halfOpen"] },
    async run(t) {
      const { queue, q } = await open(t, { deadline: 500 });
      await q.put(job("held", { priority: -1 }));
      const taken = await queue.take();
      assert.ok(taken !== null, "take gave nothing though a job was ready");
      const id = newJobId();
      const heal = t.store.faults.halfOpen?.();
      const began = t.store.clock.monotonic();
      const calls = { put: queue.put(bytes("job"), { id }), ack: taken.ack(), take: queue.take(), size: queue.size() };
      for (const [name, outcome] of Object.entries(await outcomesOf<unknown>(t, calls))) {
        const code = "code" in outcome ? outcome.code : "done";
        const allowed = name === "size" ? ["UNAVAILABLE"] : ["UNAVAILABLE", "OUTCOME_UNKNOWN"];
        assert.ok(allowed.includes(code), `${name} over a dead connection was reported as ${code}`);
      }
      const took = t.store.clock.monotonic() - began;
      assert.ok(took < 1_500, `calls with a deadline of 500 ms settled after ${took} ms`);
      heal?.();
      const putAgain = async (): Promise<unknown> => queue.put(bytes("job"), { id });
      await t.eventually(() => resolved(t, putAgain(), "a put after the connection has healed", 1_000));
      // The take that broke off may come through between the two lists.
      await t.eventually(async () => {
        const there = texts([...(await q.list("ready")), ...(await q.list("leased"))]);
        assert.deepEqual(
          there.filter((name) => name === "job"),
          ["job"],
          "a put of unknown outcome, repeated with its id, is not one job",
        );
      });
    },
  },
  {
    id: "faults.paused-server",
    title: "a call made while the server stands still is answered when it goes on, and is done once",
    promise: "P3",
    needs: { faults: ["pause"] },
    async run(t) {
      const { queue, q } = await open(t);
      const resume = t.store.faults.pause?.();
      const putting = queue.put(bytes("job"));
      putting.catch(() => undefined);
      await t.pass(200);
      resume?.();
      assert.equal((await resolved(t, putting, "a put to a server that stood still")).status, "added");
      assert.deepEqual(texts(await q.list("ready")), ["job"]);
    },
  },
  {
    id: "faults.worker-goes-on",
    title: "a worker goes on by itself after its connection was cut and after the store was restarted",
    promise: "P7",
    needs: { faults: ["cut", "restart"] },
    async run(t) {
      const { queue, q } = await open(t);
      const done = new Set<string>();
      const worker = queue.work((one) => void done.add(text(one)));
      const expect = async (name: string, after: string): Promise<void> => {
        await t.eventually(() => q.put(job(name)));
        await passUntil(t, () => done.has(name), `the worker does not work after ${after}`, 4_000);
      };
      await expect("1", "it was started");
      t.store.faults.cut?.();
      await expect("2", "its connection was cut");
      await t.store.faults.restart?.();
      await expect("3", "the store was restarted");
      await resolved(t, worker.close(), "closing the worker");
    },
  },
];
