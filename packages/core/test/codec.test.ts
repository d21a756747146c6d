import { describe, expect, test } from "vitest";
import { bytes, json, type StandardSchemaV1 } from "../src/index.ts";
import { validate } from "../src/schema.ts";
import { errorOf, TestBackend, turns } from "./support.ts";

const text = (value: string): Uint8Array => Buffer.from(value);
const invalid: unknown = expect.objectContaining({ code: "INVALID_PAYLOAD" });

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("it did not throw");
}

describe("json", () => {
  test.each([
    [null],
    [true],
    [0],
    [-1.5],
    [""],
    ["🚀 \u0000 \\u005f"],
    [[1, [2, []]]],
    [{ a: { b: [{}] }, "": 1, constructor: 1 }],
    ["x".repeat(100_000)],
  ])("%j comes back", (value) => {
    expect(json.decode(json.encode(value))).toEqual(value);
  });

  test("leaves out properties that are undefined, takes what toJSON gives", () => {
    expect(json.decode(json.encode({ a: undefined, b: 1 }))).toEqual({ b: 1 });
    expect(json.decode(json.encode(new Date(0)))).toBe("1970-01-01T00:00:00.000Z");
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  test.each([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["NaN", Number.NaN],
    ["Infinity", Infinity],
    ["undefined in an array", [undefined]],
    ["a function inside", { a: { b: () => 1 } }],
    ["a bigint inside", [{ a: 1n }]],
    ["NaN inside", { a: [Number.NaN] }],
    ["a cycle", cycle],
    ["toJSON that gives nothing", { toJSON: () => undefined }],
    ["toJSON that throws", { toJSON: () => { throw new Error("no"); } }], // prettier-ignore
  ])("refuses to encode %s", (_name, value) => {
    expect(thrownBy(() => json.encode(value))).toEqual(invalid);
  });

  test.each(["", "{", "nul", "[1,]", "{'a':1}", "\ufeff1", "1 2", "NaN"])("refuses to decode %j", (value) => {
    expect(thrownBy(() => json.decode(text(value)))).toEqual(invalid);
  });

  test("refuses bytes that are not UTF-8", () => {
    expect(thrownBy(() => json.decode(Buffer.from([0x22, 0xff, 0x22])))).toEqual(invalid);
  });

  test("the parser's message, which quotes the payload, is not passed on", () => {
    const error = thrownBy(() => json.decode(text('{"password":"hunter2" oops'))) as Error;
    expect(`${error.message}${String(error.cause)}`).not.toContain("hunter2");
  });

  test.each([
    '{"__proto__":{"admin":true}}',
    '[{"a":{"__proto__":1}}]',
    '{"\\u005f_proto__":{"admin":true}}',
    '{"__pr\\u006fto__":1}',
    '{"\\u005F\\u005f\\u0070\\u0072\\u006f\\u0074\\u006F\\u005f\\u005f":1}',
  ])("refuses the key in %s", (value) => {
    expect(thrownBy(() => json.decode(text(value)))).toEqual(invalid);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test("refuses to encode the key, wherever it comes from", () => {
    const parsed: unknown = JSON.parse('{"a":[{"__proto__":1}]}');
    expect(thrownBy(() => json.encode(parsed))).toEqual(invalid);
    expect(thrownBy(() => json.encode({ toJSON: () => parsed }))).toEqual(invalid);
  });

  test.each([
    "__proto__",
    ["__proto__"],
    { a: "__proto__" },
    { a: '"__proto__":' },
    { 'x"__proto__': 1 },
    { a: "\u00e9 __proto__" },
  ])("the word itself is no crime: %j", (value) => {
    expect(json.decode(json.encode(value))).toEqual(value);
  });

  test("tells brackets in strings from those that nest, wherever quotes and backslashes stand", () => {
    const tooDeep = `${"[".repeat(1001)}${"]".repeat(1001)}`;
    for (let length = 0; length < 140; length++) {
      for (const end of ["", "\\", '"', '\\"', "\\\\", '"\\"']) {
        const text = `${"x".repeat(length)}${end}${"[".repeat(2500)}${end}`;
        expect(json.decode(json.encode([text, [1]]))).toEqual([text, [1]]);
        const hidden = Buffer.from(`[${JSON.stringify(text)},${tooDeep}]`);
        expect(() => json.decode(hidden)).toThrow("nests deeper than 1000 levels");
      }
    }
    expect(() => json.decode(Buffer.from(`"${"x".repeat(3000)}`))).toThrow("not JSON");
  });

  test("refuses depth bombs before they are parsed, and to make them", () => {
    const bomb = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);
    expect(json.decode(text(bomb(1000, "[", "]")))).toBeInstanceOf(Array);
    expect(thrownBy(() => json.decode(text(bomb(1001, "[", "]"))))).toEqual(invalid);
    expect(thrownBy(() => json.decode(text(bomb(1_000_000, "[", "]"))))).toEqual(invalid);
    expect(thrownBy(() => json.decode(text(`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`)))).toEqual(invalid);
    let deep: unknown = [];
    for (let i = 0; i < 1500; i++) deep = [deep];
    expect(thrownBy(() => json.encode(deep))).toEqual(invalid);
    expect(thrownBy(() => json.encode({ toJSON: () => deep }))).toEqual(invalid);
  });

  test("brackets in strings do not count, nor do flat ones", () => {
    const value = { a: '[{\\"'.repeat(3000), b: Array.from({ length: 3000 }, () => [{}]) };
    expect(json.decode(json.encode(value))).toEqual(value);
  });
});

describe("bytes", () => {
  test("come back as they were, as a plain Uint8Array", () => {
    const value = Uint8Array.from({ length: 256 }, (_, n) => n);
    const back = bytes.decode(Buffer.from(bytes.encode(value)));
    expect(back).toEqual(value);
    expect((back as object).constructor).toBe(Uint8Array);
    expect(bytes.decode(bytes.encode(new Uint8Array()))).toEqual(new Uint8Array());
  });

  test("are copied: what the caller does to them later has no effect", () => {
    const value = Uint8Array.of(1, 2);
    const encoded = bytes.encode(value);
    value[0] = 9;
    expect([...encoded]).toEqual([1, 2]);
  });

  test("refuse anything else", () => {
    for (const value of ["text", null, [1], new ArrayBuffer(1), 5]) {
      expect(thrownBy(() => bytes.encode(value))).toEqual(invalid);
    }
  });

  test("through a queue", async () => {
    const t = new TestBackend();
    await using queue = t.queue<Uint8Array>({ codec: bytes });
    await queue.put(Uint8Array.of(0, 255));
    expect((await queue.take())?.payload).toEqual(Uint8Array.of(0, 255));
  });
});

/** A schema of numbers, given as text or not; its output is a number. */
const number: StandardSchemaV1<string | number, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const n = Number(value);
      return Number.isNaN(n) ? { issues: [{ message: "not a number", path: ["a", { key: 0 }] }] } : { value: n };
    },
  },
};

const slow: StandardSchemaV1<string, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => (value === "bad" ? { issues: [{ message: "bad" }] } : { value: `${String(value)}!` }),
  },
};

describe("schema", () => {
  test("of several payloads that an asynchronous validator refuses, putMany reports one and leaves no rejection behind", async () => {
    const t = new TestBackend();
    const refuse = async () => ({ issues: [{ message: "no" }] });
    await using queue = t.queue({ schema: { "~standard": { version: 1, vendor: "test", validate: refuse } } });
    expect(await errorOf(queue.putMany([1, 2, 3]))).toMatchObject({ code: "INVALID_PAYLOAD" });
    await turns();
    expect(t.count("put")).toBe(0);
  });

  test("the stored payload is what was put, the handler gets the schema's output", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ schema: number });
    const { id } = await queue.put("7");
    expect((await queue.peek(id))?.payload).toBe("7");
    expect((await queue.take())?.payload).toBe(7);
  });

  test("a payload that does not fit is refused at put, with paths and messages but not the payload", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ schema: number });
    const error = await errorOf(queue.put("secret"));
    expect(error).toMatchObject({
      code: "INVALID_PAYLOAD",
      message: "the payload does not fit the schema: a.0: not a number",
    });
    expect(await errorOf(queue.putMany(["1", "x"]))).toMatchObject({ code: "INVALID_PAYLOAD" });
    expect(t.count("put")).toBe(0);
  });

  test("may be asynchronous", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ schema: slow });
    await queue.putMany(["a", "b"]);
    expect((await queue.takeMany(2)).map(({ payload }) => payload)).toEqual(["a!", "b!"]);
    expect(await errorOf(queue.put("bad"))).toMatchObject({ code: "INVALID_PAYLOAD" });
  });

  test("a validator that throws is INVALID_PAYLOAD with its error as cause", async () => {
    const bug = new Error("bug");
    const broken = (fn: () => never) => ({ "~standard": { version: 1 as const, vendor: "t", validate: fn } });
    const sync = thrownBy(() => validate(broken(() => { throw bug; }), 1)); // prettier-ignore
    expect(sync).toMatchObject({ code: "INVALID_PAYLOAD", cause: bug });
    const async = await errorOf(validate(broken((() => Promise.reject(bug)) as never), 1) as Promise<unknown>);
    expect(async).toMatchObject({ code: "INVALID_PAYLOAD", cause: bug });
  });

  test("many issues are cut short", () => {
    const issues = Array.from({ length: 50 }, (_, n) => ({ message: `m${n}` }));
    const error = thrownBy(() =>
      validate({ "~standard": { version: 1, vendor: "t", validate: () => ({ issues }) } }, 1),
    ) as Error;
    expect(error.message).toMatch(/m9; and 40 more$/);
  });

  test.each([
    ["cannot be decoded", {}, bytes],
    ["does not fit", { schema: number }, undefined],
  ])("a stored payload that %s fails the job, and is not given out", async (_name, options, codec) => {
    const t = new TestBackend();
    await using producer = t.queue(codec === undefined ? {} : { codec });
    await using consumer = t.queue(options);
    const { id } = await producer.put(codec === undefined ? "x" : Uint8Array.of(0x7b), {
      maxAttempts: 2,
      priority: -1,
    });
    await producer.put(codec === undefined ? 5 : Uint8Array.of(0x35));
    const errors: unknown[] = [];
    consumer.on("error", ({ error, jobId }) => errors.push([(error as { code?: string }).code, jobId]));
    // It stands first; the one behind it is given out.
    const seen: unknown[] = [];
    consumer.work((job) => void seen.push(job.payload));
    await t.clock.advance(10_000);
    expect(seen).toEqual([5]);
    expect(errors).toEqual([
      ["INVALID_PAYLOAD", id],
      ["INVALID_PAYLOAD", id],
    ]);
    const info = await producer.peek(id);
    expect(info).toMatchObject({ state: "buried", buryReason: "failed" });
    expect(info?.lastError).toMatch(/cannot decode|does not fit/);
    await turns();
  });

  test("an operator sees a job whose payload cannot be decoded", async () => {
    const t = new TestBackend();
    await using producer = t.queue<Uint8Array>({ codec: bytes });
    await using queue = t.queue();
    const { id } = await producer.put(Uint8Array.of(0x7b));
    expect(await queue.peek(id)).toMatchObject({
      state: "ready",
      payload: undefined,
      payloadError: { code: "INVALID_PAYLOAD" },
    });
  });
});
