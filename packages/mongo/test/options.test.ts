import { MongoClient, type MongoClientOptions } from "mongodb";
import { expect, test } from "vitest";
import { resolveOptions } from "../src/options.ts";

/** The options of the driver that come out. */
function own(options: Parameters<typeof resolveOptions>[0]): MongoClientOptions {
  const { target } = resolveOptions(options);
  if (target.kind !== "own") throw new Error(`a ${target.kind}`);
  return target.options;
}

test("without options: the default server, names and times", () => {
  expect(resolveOptions()).toEqual({
    target: {
      kind: "own",
      url: "mongodb://127.0.0.1:27017",
      options: {
        appName: "pq",
        serverSelectionTimeoutMS: 1250,
        waitQueueTimeoutMS: 3750,
        connectTimeoutMS: 2500,
        socketTimeoutMS: 5000,
        heartbeatFrequencyMS: 1000,
        minHeartbeatFrequencyMS: 50,
        retryWrites: false,
        retryReads: false,
      },
    },
    address: "127.0.0.1:27017",
    db: "pq",
    collection: "pq",
    commandTimeout: 5000,
  });
});

test.each([
  ["mongodb://h", "pq"],
  ["mongodb://h/", "pq"],
  ["mongodb://h/?w=1", "pq"],
  ["mongodb://h/jobs", "jobs"],
  ["mongodb://u:p@h,g:1/jobs?authSource=admin", "jobs"],
  ["mongodb+srv://h.example.org/%6Aobs", "jobs"],
  ["mongodb://%2Frun%2Fm.sock/jobs", "jobs"],
])("the database in %s is %s", (url, db) => {
  expect(resolveOptions(url).db).toBe(db);
  expect(resolveOptions({ url, db: "other" }).db).toBe("other");
});

test("times that are given stay, in the url or in options", () => {
  expect(own("mongodb://h/?CONNECTTIMEOUTMS=7&appName=mine")).not.toHaveProperty("connectTimeoutMS");
  expect(own("mongodb://h/?CONNECTTIMEOUTMS=7&appName=mine")).not.toHaveProperty("appName");
  expect(own({ options: { heartbeatFrequencyMS: 700 } })).toMatchObject({ heartbeatFrequencyMS: 700 });
});

test("the driver never repeats by itself", () => {
  const options = { retryWrites: true, retryReads: true };
  expect(own({ url: "mongodb://h/?retryWrites=true", options })).toMatchObject({
    retryWrites: false,
    retryReads: false,
  });
});

test.each([
  ["mongodb://joe:hush@h", "h:27017"],
  ["mongodb://joe:hush@h:1,g:2/?replicaSet=rs", 'replica set "rs" of h:1, g:2'],
  ["mongodb+srv://joe:hush@h.example.org", "h.example.org"],
  ["mongodb://[::1]:3", "[::1]:3"],
  ["mongodb://%2Frun%2Fm.sock", "/run/m.sock"],
])("the address of %s in messages is %s", (url, address) => {
  expect(resolveOptions(url).address).toBe(address);
});

test.each([
  "http://joe:hush@h",
  "nonsense hush",
  "mongodb://joe:hu@sh@h",
  "mongodb://joe:hush/@h",
  "mongodb://joe:hush@h/?hush=1",
  "mongodb://joe:hush@h/?maxPoolSize=hush",
  "mongodb://joe:hush@",
])("the url %s is refused without repeating it", (url) => {
  const attempt = (): unknown => resolveOptions(url);
  expect(attempt).toThrow(TypeError);
  expect(attempt).not.toThrow(/hush|hu@sh/);
});

test("of a url without a login the driver says what is wrong", () => {
  expect(() => resolveOptions("mongodb://h/?maxpolsize=1")).toThrow("maxpolsize");
});

test.each<[object, string]>([
  [{ colection: "x" }, '"colection"'],
  [{ tls: true }, '"options"'],
  [{ url: 1 }, "url"],
  [{ url: "mongodb://h", client: new MongoClient("mongodb://h") }, "one of url"],
  [{ options: {}, client: new MongoClient("mongodb://h") }, "one of url"],
  [{ client: {} }, "client"],
  [{ client: null }, "client"],
  [{ options: null }, "options"],
  [{ options: "tls" }, "options"],
  [{ options: { maxpolsize: 1 } }, "maxpolsize"],
  [{ db: 1 }, "db"],
  [{ collection: 1 }, "collection"],
  [{ commandTimeout: "5s" }, "commandTimeout"],
])("%j is a TypeError", (options, part) => {
  expect(() => resolveOptions(options)).toThrow(TypeError);
  expect(() => resolveOptions(options)).toThrow(part);
});

test.each<object>([
  { db: "" },
  { db: "a.b" },
  { db: "a/b" },
  { db: "$external" },
  { db: "ä".repeat(32) },
  { url: "mongodb://h/a.b" },
  { collection: "" },
  { collection: "a$b" },
  { collection: "a\0b" },
  { collection: "a..b" },
  { collection: "a." },
  { collection: ".a" },
  { collection: "system.a" },
  { collection: "ä".repeat(33) },
  { commandTimeout: 10 },
  { commandTimeout: 600_001 },
  { commandTimeout: 100.5 },
])("%j is a RangeError", (options) => {
  expect(() => resolveOptions(options)).toThrow(RangeError);
});

test("names with dots and other letters are good for collections", () => {
  expect(resolveOptions({ collection: "my.jobs-ä" }).collection).toBe("my.jobs-ä");
});

test("a client is borrowed as it is", () => {
  const client = new MongoClient("mongodb://joe:hush@h:1/theirs");
  expect(resolveOptions({ client })).toMatchObject({ target: { kind: "borrowed", client }, address: "h:1", db: "pq" });
});
