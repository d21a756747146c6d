/**
 * Waiting with change streams, which only a real replica set has: where there is none, this is not tested. `stream.test.ts` has what can be tested
 * without one.
 */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually, newJob } from "@pq/core/testing";
import { genuine } from "@pq/services";
import { type CommandStartedEvent, MongoClient } from "mongodb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Seam, Site } from "./site.ts";

const there = await genuine("mongo");

/** How long idle processes are watched, in ms. By hand a minute, with `--reporter=verbose` to see the figures. */
const IDLE = Number(process.env["PQ_IDLE_MS"] ?? 6000);
/** By then polls are more than a second apart. */
const QUIET = 1500;

describe.skipIf(!there.available)(`change streams ${there.reason}`, { timeout: 30_000 }, () => {
  let site: Site;
  let over: AbortController;
  let clients: MongoClient[];

  beforeEach(async ({ skip }) => {
    clients = [];
    over = new AbortController();
    site = await Site.start();
    if (!site.server.replicaSet) skip(`${site.server.source} is no replica set`);
  }, 60_000);

  afterEach(async () => {
    over.abort();
    await site.close();
    for (const client of clients) await client.close();
  });

  /** A process that waits, and hears of changes. */
  async function listening(): Promise<Listening> {
    const client = new MongoClient(site.server.url, { monitorCommands: true });
    clients.push(client);
    const commands: CommandStartedEvent[] = [];
    client.on("commandStarted", (event) => commands.push(event));
    const seam = await site.queue("q", { client });
    const ended = seam.backend.wait({ queue: "q", timeout: 600_000, signal: over.signal });
    ended.catch(() => undefined);
    await eventually(() => expect(commands.some(({ commandName }) => commandName === "getMore")).toBe(true));
    return { seam, ended, looks: () => commands.filter(isLook).length, commands };
  }

  test("a put by another process is heard", async () => {
    const { ended, looks, seam } = await listening();
    const producer = await site.queue();
    await sleep(systemClock, QUIET);
    const before = looks();
    await producer.put(newJob());
    await ended;
    expect(looks() - before).toBeLessThanOrEqual(2);
    expect(await seam.take()).toHaveLength(1);
    expect(seam.backend.events).toEqual([]);
  });

  test("a due time that another process sets, and the end of its lease, are heard", async () => {
    const [first, producer] = [await listening(), await site.queue()];
    await sleep(systemClock, QUIET);
    const began = performance.now();
    await producer.put(newJob({ due: { in: 300 } }));
    await first.ended;
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(299);
    expect(took).toBeLessThan(300 + 1000);
    const second = await listening();
    await producer.take(1, 500);
    await second.ended;
    expect(await second.seam.take()).toHaveLength(1);
  });

  test("a paused queue is polled as often as without, so that its resumption is noticed", async () => {
    const [{ ended }, producer] = [await listening(), await site.queue()];
    await producer.control("pause");
    await producer.put(newJob());
    await sleep(systemClock, QUIET);
    const began = performance.now();
    await producer.control("resume");
    await ended;
    expect(performance.now() - began).toBeLessThan(1250);
  });

  test("one put wakes one of 8 processes", async () => {
    const processes = await Promise.all(Array.from({ length: 8 }, listening));
    const producer = await site.queue();
    let woken = 0;
    for (const { ended } of processes) {
      ended.then(
        () => woken++,
        () => undefined,
      );
    }
    await sleep(systemClock, QUIET);
    await producer.put(newJob());
    await eventually(() => expect(woken).toBe(1));
    await sleep(systemClock, 300);
    expect(woken).toBe(1);
  });

  test("when the stream ends, it is reported, and waiting goes on without", async () => {
    const { ended, seam } = await listening();
    const producer = await site.queue();
    await site.db.dropCollection("pq.pages");
    await eventually(() => expect(seam.backend.events.map(({ type }) => type)).toEqual(["warning"]));
    await producer.put(newJob());
    await ended;
  });

  test("idle, it looks seldom, and closing leaves no cursor", async ({ annotate }) => {
    const { commands, looks, seam } = await listening();
    await sleep(systemClock, QUIET);
    const [all, before] = [commands.length, looks()];
    await sleep(systemClock, IDLE);
    await annotate(`${commands.length - all} commands in ${IDLE} ms`);
    expect(looks() - before).toBeLessThanOrEqual(2 + IDLE / 4000);
    await seam.backend.close();
    await eventually(() => expect(commands.some(({ commandName }) => commandName === "killCursors")).toBe(true));
  });
});

interface Listening {
  readonly seam: Seam;
  readonly ended: Promise<void>;
  readonly looks: () => number;
  readonly commands: readonly CommandStartedEvent[];
}

function isLook({ commandName, command }: CommandStartedEvent): boolean {
  const text = JSON.stringify(command["pipeline"] ?? null);
  return commandName === "aggregate" && text.includes('"next"') && !text.includes("$changeStream");
}
