/** Bytes in are bytes out, whatever they are: payloads, and the other bytes and texts that a store keeps for others. */
import assert from "node:assert/strict";
import { bytes, LONG } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

const EVERY_BYTE = Uint8Array.from(range(256));

/** What text-minded stores spoil. */
const ODD_BYTES: Readonly<Record<string, Uint8Array>> = {
  "every byte": EVERY_BYTE,
  "every byte backwards": EVERY_BYTE.toReversed(),
  "one NUL": Uint8Array.of(0),
  "NULs at both ends": Uint8Array.of(0, 0, 7, 0, 0),
  "invalid UTF-8": Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80),
  "a byte order mark": Uint8Array.of(0xef, 0xbb, 0xbf, 0x61),
  "line ends": bytes("a\r\nb\nc\r"),
  "spaces at both ends": bytes("  a  "),
  "a number": bytes("007"),
  null: bytes("null"),
  "big unicode": bytes("😀 \u{10ffff} e\u0301 \u00e9 \u202e"),
  "JSON with __proto__": bytes('{"__proto__":{"x":1},"constructor":{"prototype":{}},"a":1.0,"a":2}'),
};

/** Put bytes as payloads, take them, and see them again the same. */
async function assertKept(q: SeamQueue, payloads: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const jobs = Object.values(payloads).map((payload) => job("", { payload }));
  await q.put(...jobs);
  const taken = await q.take(jobs.length);
  Object.entries(payloads).forEach(([name, payload], index) => {
    const read = taken[index]?.payload ?? bytes("no job");
    assert.ok(read instanceof Uint8Array, `${name}: a payload must be a Uint8Array`);
    assert.ok(
      Buffer.from(payload).equals(read),
      `${name}: ${read.length} other bytes came back than the ${payload.length} put`,
    );
  });
  for (const one of taken) assert.equal(await q.ack(one), "gone");
}

/** Bytes without a pattern that a compressor or a text codec could use; the same for the same size. */
function noise(size: number): Uint8Array {
  let state = size + 1;
  return Uint8Array.from({ length: size }, () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24);
}

export const payloads: readonly Rule[] = [
  {
    id: "payloads.odd-bytes",
    title: "every byte value, NULs, invalid UTF-8, odd JSON and odd unicode come back as they were put", // saferedisqueue S7, tarantool O16
    promise: "P11",
    async run(t) {
      await assertKept(await seam(t), ODD_BYTES);
    },
  },
  {
    id: "payloads.empty",
    title: "an empty payload is a payload, and comes back empty",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      const empty = job("");
      await q.put(empty);
      assert.equal((await q.find(empty.id))?.payload.length, 0);
      assert.equal((await q.takeOne()).payload.length, 0);
    },
  },
  {
    id: "payloads.largest",
    title: "a payload of exactly `maxPayload` bytes comes back whole, and does not hold up the next job",
    promise: "P12",
    async run(t) {
      const q = await seam(t);
      const payload = Buffer.alloc(q.backend.capabilities.maxPayload, noise(65_537));
      await q.put(job("", { payload }), job("next"));
      const one = await q.takeOne();
      assert.equal(one.payload.length, payload.length, "the largest payload changed its size");
      assert.ok(payload.equals(one.payload), "the largest payload came back with other bytes");
      await q.ack(one);
      await q.takeOne("next");
    },
  },
  {
    id: "payloads.many-sizes",
    title: "payloads of all sizes around powers of two come back whole",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      const sizes = range(17).flatMap((power) => [2 ** power - 1, 2 ** power, 2 ** power + 1]);
      const fitting = sizes.filter((size) => size <= q.backend.capabilities.maxPayload);
      for (let from = 0; from < fitting.length; from += 12) {
        await assertKept(
          q,
          Object.fromEntries(fitting.slice(from, from + 12).map((size) => [`${size} bytes`, noise(size)])),
        );
      }
    },
  },
  {
    id: "payloads.caller-keeps-its-buffer",
    title: "a buffer that the caller changes after the call has settled changes nothing in the store",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const shared = Buffer.from("before");
      const one = job("", { payload: shared, keepResult: q.backend.capabilities.results ? 60_000 : null });
      await q.put(one);
      shared.fill("x");
      const taken = await q.takeOne("before");
      const progress = Buffer.from("progress");
      await q.touch(taken, LONG, progress);
      progress.fill("x");
      assert.deepEqual(Buffer.from((await q.find(one.id))?.progress ?? []).toString(), "progress");
      const result = Buffer.from("result");
      await q.ack(taken, result);
      result.fill("x");
      if (one.keepResult !== null) {
        assert.deepEqual(Buffer.from((await q.find(one.id))?.result ?? []).toString(), "result");
      }
    },
  },
  {
    id: "payloads.consumer-owns-its-copy",
    title: "a payload that its consumer changes is delivered unchanged to the next",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(job("before"));
      const first = await q.takeOne("before");
      first.payload.fill(0);
      await q.release(first);
      await q.takeOne("before");
      const [listed] = await q.list("leased");
      listed?.payload.fill(0);
      assert.deepEqual(Buffer.from((await q.list("leased"))[0]?.payload ?? []).toString(), "before");
    },
  },
  {
    id: "payloads.headers",
    title: "headers come back as they were put, up to 4,096 bytes of any text",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      const texts = ["", " ", '{"__proto__":1}', "a\r\nb\0c", "😀".repeat(1_024), "x".repeat(4_096)];
      await q.put(...texts.map((headers, index) => job(`${index}`, { headers })));
      assert.deepEqual(
        (await q.list("ready")).map(({ headers }) => headers),
        texts,
      );
      assert.deepEqual(
        (await q.take(texts.length)).map(({ headers }) => headers),
        texts,
      );
    },
  },
  {
    id: "payloads.errors-and-progress",
    title: "an error text and the bytes of progress come back as they were given, to the next holder",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      await q.put(job("job"));
      const first = await q.takeOne("job");
      const message = "line 1\nline 2 \0 😀 \u00e9";
      await q.touch(first, LONG, EVERY_BYTE);
      await q.fail(first, message, 0);
      const second = await q.takeOne("job");
      assert.equal(second.lastError, message);
      assert.deepEqual(Buffer.from(second.progress ?? []), Buffer.from(EVERY_BYTE));
      await q.touch(second, LONG, null);
      await q.touch(second, LONG, new Uint8Array());
      assert.equal((await q.list("leased"))[0]?.progress?.length, 0, "empty progress is not the same as none");
    },
  },
];
