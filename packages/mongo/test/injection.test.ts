/**
 * No text of a user becomes an operator, a field's name or a path. Each hostile text is used wherever users give texts, and the commands that
 * it causes are looked at as they are sent: they are shaped exactly as those of a plain text.
 */
import { Queue } from "@pq/core";
import { type Backend, newRequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { Binary, type CommandStartedEvent, type Document, MongoClient } from "mongodb";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Seam, Site } from "./site.ts";
import { code } from "./support.ts";

const there = await available("mongo");
const PLAIN = "plain";

const HOSTILE: readonly string[] = [
  '{ "$ne": null }',
  '{"$gt":""}',
  "$where",
  "$ne",
  "$$NOW",
  "$q",
  "a.b.$[].c",
  ".",
  "names",
  "a\0b",
  "\0",
  "__proto__",
  "constructor",
  "toString",
  "q; return true; //",
  "pages/0:1",
  "'\"\\",
  "\u{202e}\u{1f4a9}\u{feff}",
  "$".repeat(255),
  "\0".repeat(255),
  "é".repeat(127),
];

/** What a body of a request may turn into. */
const NO_TEXTS: readonly unknown[] = [{ $ne: null }, { $gt: "" }, [], ["a"], 1, true, /./, Symbol("s"), () => "a"];

describe.skipIf(!there.available)("hostile texts", { timeout: 60_000 }, () => {
  let site: Site;
  let client: MongoClient;
  let backend: Backend;
  const commands: CommandStartedEvent[] = [];

  beforeAll(async () => {
    site = await Site.start("memory");
    client = new MongoClient(site.server.url, { monitorCommands: true });
    client.on("commandStarted", (event) => commands.push(event));
    backend = await site.backend({ client });
  });

  afterAll(async () => {
    await site.close();
    await client.close();
  });

  beforeEach(() => void commands.splice(0));

  /** Everything that is done to jobs, with this text wherever a text may be. Gives how the commands for it were shaped. */
  async function useEverywhere(text: string): Promise<ReadonlySet<string>> {
    const seam = new Seam(backend as Seam["backend"], text);
    const fields = { key: text, group: text, headers: text, payload: text };
    const [first, second, third] = [newJob(fields), newJob({ ...fields, key: `${text.slice(0, 100)}2` }), newJob(text)];
    expect(await seam.put(first, second, third)).toEqual(Array.from({ length: 3 }, () => ({ status: "added" })));
    expect(await seam.put(newJob({ ...fields, id: first.id }), newJob(fields))).toEqual([
      { status: "duplicate", id: first.id },
      { status: "duplicate", id: first.id },
    ]);
    const { jobs } = await backend.read({ queue: text, state: "ready", limit: 9, cursor: null });
    expect(jobs.map(({ id }) => id)).toEqual([first.id, second.id, third.id]);
    const [one, other] = await seam.take(9);
    expect(one).toMatchObject({ id: first.id, key: text, group: text, headers: text });
    expect(Buffer.from(one!.payload).toString()).toBe(text);
    expect(other?.id).toBe(third.id);
    const item = { ...one!, lease: 60_000, progress: Buffer.from(text) };
    expect(await backend.touch({ request: newRequestId(), queue: text, items: [item] })).toEqual([true]);
    expect(await seam.settle({ ...one!, type: "bury", error: text })).toEqual(["buried"]);
    expect(await seam.ack(other!)).toEqual(["gone"]);
    const stored = await backend.read({ queue: text, ids: [first.id] });
    expect(stored.jobs[0]).toMatchObject({ key: text, group: text, lastError: text, state: "buried" });
    for (const type of ["dig", "delete"] as const) {
      const params = { request: newRequestId(), queue: text, type, ids: [first.id] };
      expect(await backend.control(params)).toMatchObject({ outcomes: ["done"] });
    }
    expect((await seam.take(9)).map(({ id }) => id)).toEqual([second.id]);
    expect(await seam.control("truncate")).toMatchObject({ count: 1 });
    const { ready, leased, buried } = await seam.stats();
    expect([ready, leased, buried]).toEqual([0, 0, 0]);
    return new Set(commands.flatMap(({ command }) => shapesOf(command)));
  }

  test("are stored as they are, and change the shape of no command", async () => {
    const bystander = new Seam(backend as Seam["backend"], "bystander");
    await bystander.put(newJob({ key: "k", group: "g" }), newJob());
    const plain = await useEverywhere(PLAIN);
    for (const text of HOSTILE) {
      commands.splice(0);
      const shapes = await useEverywhere(text);
      expect([...shapes].filter((shape) => !plain.has(shape))).toEqual([]);
    }
    expect((await bystander.stats()).ready).toBe(2);
    expect(await backend.queues()).toEqual(expect.arrayContaining([...HOSTILE]));
  });

  test("every filter names a queue, as a string, and the ids and keys in it are bytes and strings", async () => {
    await useEverywhere('{ "$ne": null }');
    const filters = commands.flatMap(({ command }) => filtersOf(command));
    expect(filters.length).toBeGreaterThan(20);
    expect(new Set(filters.map(({ q }) => q as unknown))).toEqual(new Set(['{ "$ne": null }']));
    const names = filters.flatMap(({ names }) => (isDocument(names) ? (names["$in"] as unknown[]) : []));
    expect(names.length).toBeGreaterThan(0);
    expect(names.every((name) => typeof name === "string" || name instanceof Binary)).toBe(true);
  });

  test("a cursor that no list has given is refused, whatever is in it", async () => {
    const queue = new Queue("cursors", { backend: site.unopened() });
    const hostile = [[], {}, { $ne: null }, [{ $gt: "" }], [0, 0, 0, 0, 0, 0, { $ne: null }], Array(7).fill("x"), null];
    for (const value of hostile) {
      const cursor = Buffer.from(JSON.stringify(value)).toString("base64url");
      expect(await code(queue.list({ state: "ready", cursor }))).toBe("UNSUPPORTED");
    }
    expect(await code(queue.list({ state: "ready", cursor: '{ "$ne": null }' }))).toBe("UNSUPPORTED");
    await queue.close();
  });

  test("what is no text where one is expected is refused before anything is sent", async () => {
    const queue = new Queue("refusals", { backend: site.unopened({ client }) });
    await queue.ready();
    commands.splice(0);
    for (const value of NO_TEXTS) {
      const text = value as string;
      const calls = [
        async () => new Queue(text, { backend }),
        () => queue.peek(text),
        () => queue.dig(text),
        () => queue.delete(text),
        () => queue.result(text),
        () => queue.list({ state: text as "ready" }),
        () => queue.list({ state: "ready", cursor: text }),
        () => queue.put(1, { id: text }),
        () => queue.put(1, { key: text }),
        () => queue.put(1, { group: text }),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(/must be/);
    }
    expect(commands).toEqual([]);
    await queue.close();
  });
});

/** The paths of all fields of a command, without the places of arrays. */
function shapesOf(command: Document): string[] {
  const { lsid: _, $clusterTime: __, ...own } = command;
  return pathsOf(own, Object.keys(own)[0] ?? "");
}

function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => pathsOf(each, `${path}[]`));
  if (!isDocument(value)) return [`${path}: ${typeof value}`];
  return Object.entries(value).flatMap(([name, each]) => pathsOf(each, `${path} ${JSON.stringify(name)}`));
}

/** A part of a command that has fields, which a `Date` or a `Binary` has not. */
function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** What a command looks for. */
function filtersOf(command: Document): Document[] {
  const statements = [...((command["updates"] ?? []) as Document[]), ...((command["deletes"] ?? []) as Document[])];
  const [first] = (command["pipeline"] ?? []) as Document[];
  return [command["filter"], command["query"], first?.["$match"], ...statements.map(({ q }) => q as unknown)].filter(
    isDocument,
  );
}
