/**
 * Are all commands of the hot calls served by an index? They are not copied here but caught as they are sent. What each of them looks like is
 * checked everywhere, so that a new one does not come in unseen; how it is carried out only a real MongoDB can tell.
 */
import { available, genuine } from "@pq/services";
import { type CommandStartedEvent, type Document, MongoClient } from "mongodb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collectionOptions } from "../src/client-options.ts";
import { type Collections, collections, indexes } from "../src/schema.ts";
import { expected } from "./expected-plans.ts";
import { fill, makeHotCalls, type Size } from "./hot-calls.ts";
import { PageQueue } from "./page-store.ts";
import { type Plan, planOf, scans, sorts } from "./plans.ts";
import { pointsOf, type Statement, statementsOf } from "./shapes.ts";
import { Seam, Site } from "./site.ts";

const [any, real] = [await available("mongo"), await genuine("mongo")];

const FEW: Size = { pages: 2, jobs: 10, lone: 10 };
/** 1,000,000 jobs, and some thousand that were put alone. */
const MANY: Size = { pages: 1000, jobs: 1000, lone: 3000 };
/** How long a command may take, in ms. */
const TIMEOUT = 60_000;

let site: Site;
let client: MongoClient;

async function start(): Promise<void> {
  site = await Site.start("memory");
  client = new MongoClient(site.server.url, { monitorCommands: true });
}

async function stop(): Promise<void> {
  await site.close();
  await client.close();
}

/** All that the hot calls send at a queue of this size, but for what they send when they open. */
async function caught(size: Size): Promise<Statement[]> {
  const queue = (db: Site["db"]): PageQueue => new PageQueue("q", collections(db, "pq", collectionOptions(TIMEOUT)));
  const backend = async () => site.backend({ client, commandTimeout: TIMEOUT });
  const [first, second] = [await backend(), await backend()];
  await fill(queue(site.db), size);
  const commands: CommandStartedEvent[] = [];
  client.on("commandStarted", (event) => commands.push(event));
  await makeHotCalls({
    seam: new Seam(first, "q"),
    other: new Seam(second, "q"),
    idle: new Seam(first, "idle"),
    busy: new Seam(second, "idle"),
    steps: queue(client.db(site.db.databaseName)),
  });
  return commands.flatMap(statementsOf).filter(({ collection }) => collection !== "meta");
}

/** The first two fields of an index of this collection: a statement that it serves names them. */
function fieldsOf(collection: string, index: string): string[] {
  if (index === "_id_") return ["_id"];
  const found = indexes[collection as keyof Collections].find(({ name }) => name === index);
  if (found === undefined) throw new Error(`${collection} has no index ${index}`);
  return Object.keys(found.key).slice(0, 2);
}

describe.skipIf(!any.available)("the commands of the hot calls", { timeout: 60_000 }, () => {
  beforeEach(start);
  afterEach(stop);

  test("are those that are expected, and each names the fields of its index", async () => {
    const statements = await caught(FEW);
    const shapes = new Set(statements.map(({ shape }) => shape));
    expect([...shapes].toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const { collection, shape, filter, hint } of statements) {
      const { indexes: names, all } = expected[shape]!;
      expect(hint, shape).toBe(all ? names[0] : undefined);
      const needed = names.map((name) => fieldsOf(collection, name).slice(0, all ? 1 : 2));
      expect(Object.keys(filter), shape).toContain("q");
      expect(
        needed.some((fields) => fields.every((field) => field in filter)),
        shape,
      ).toBe(true);
    }
  });
});

describe.skipIf(!real.available)(`a million jobs ${real.reason}`, { timeout: 900_000 }, () => {
  beforeEach(start, 60_000);
  afterEach(stop, 60_000);

  test("every command of the hot calls is served by its index, and looks at little more than it finds", async () => {
    const statements = await caught(MANY);
    const pages = await site.db.collection("pq.pages").countDocuments();
    const wrong: string[] = [];
    for (const statement of statements) {
      const explained = await site.db.command({ explain: statement.command, verbosity: "executionStats" });
      const plan = planOf(explained);
      const { indexes: names, all } = expected[statement.shape]!;
      const most = all ? pages : 2 * (plan.returned + pointsOf(statement.filter));
      const isServed = plan.indexes.size === 1 && names.some((name) => plan.indexes.has(name));
      if (scans(plan) || sorts(plan) || !isServed || plan.examined > most) wrong.push(told(statement, plan));
    }
    expect([...new Set(wrong)]).toEqual([]);
  });
});

function told({ shape }: Statement, { stages, indexes: used, examined, returned }: Plan): string {
  return `${shape}: ${stages.join(" < ")} by ${[...used].join()}, ${examined} examined, ${returned} returned`;
}

describe("an answer of explain", () => {
  const stats = { nReturned: 1, totalDocsExamined: 2 };
  const scan = { stage: "IXSCAN", indexName: "next" };
  const fetch = { stage: "FETCH", inputStage: scan };
  const plan = (winningPlan: Document): Document => ({
    queryPlanner: { winningPlan, rejectedPlans: [{ stage: "COLLSCAN" }] },
    executionStats: stats,
  });
  const or = {
    stage: "SUBPLAN",
    inputStage: { stage: "OR", inputStages: [{ stage: "FETCH", inputStage: scan }, scan] },
  };

  test.for<[string, Document, string, string]>([
    ["of the classic engine", plan(fetch), "FETCH < IXSCAN", "next"],
    ["of the slot-based engine", plan({ queryPlan: fetch, slotBasedPlan: { stages: "…" } }), "FETCH < IXSCAN", "next"],
    ["of an $or", plan(or), "SUBPLAN < OR < FETCH < IXSCAN < IXSCAN", "next"],
    ["of an _id", plan({ stage: "UPDATE", inputStage: { stage: "IDHACK" } }), "UPDATE < IDHACK", "_id_"],
    ["of the express way", plan({ stage: "EXPRESS_IXSCAN", indexName: "_id_" }), "EXPRESS_IXSCAN", "_id_"],
    ["of an aggregation", { stages: [{ $cursor: plan(fetch) }, { $group: {} }] }, "$group < FETCH < IXSCAN", "next"],
  ])("%s is understood", ([, explained, stages, index]) => {
    const read = planOf(explained);
    expect(read.stages.join(" < ")).toBe(stages);
    expect([...read.indexes]).toEqual([index]);
    expect([read.examined, read.returned]).toEqual([2, 1]);
    expect([scans(read), sorts(read)]).toEqual([false, false]);
  });

  test("a scan of the collection and a sort in memory are seen", () => {
    const scanned = planOf(plan({ stage: "SORT", inputStage: { stage: "COLLSCAN" } }));
    expect([scans(scanned), sorts(scanned)]).toEqual([true, true]);
    expect(sorts(planOf({ stages: [{ $cursor: plan(fetch) }, { $sort: {} }] }))).toBe(true);
  });
});
