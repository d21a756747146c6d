/**
 * Random calls, and after each of them a look at the raw keys: does what is stored fit together? `invariants/invariants.ts` says what must hold.
 * `PQ_INVARIANTS_RUNS=200` runs more sequences, and `PQ_INVARIANTS_SEED` begins with those of a failure; what depends on the time does not repeat.
 */
import type { Backend } from "@pq/core/backend";
import { available } from "@pq/services";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Change, changedBackend, SMALL_LIMITS } from "./invariants/changes.ts";
import { Broken } from "./invariants/broken.ts";
import { Sequence } from "./invariants/sequence.ts";
import { plans } from "./invariants/steps.ts";
import { Site } from "./support.ts";

const RUNS = Number(process.env["PQ_INVARIANTS_RUNS"] ?? 20);
const SEED = process.env["PQ_INVARIANTS_SEED"];
/** The most sequences in which a bug must show. */
const RUNS_TO_CATCH = 80;
const STEPS = 100;

const AS_IS = { generation: 10_000, window: 60_000 };
const SMALL = { generation: 7, window: 300 };

const there = await available("redis", "program");

describe.skipIf(!there.available)("what is stored fits together after every call", () => {
  let site: Site;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start();
  });

  afterAll(async () => site.close());

  /** Run sequences; what is wrong in the first in which something is. */
  async function search(changes: readonly Change[], limits: typeof SMALL, runs: number): Promise<Broken | undefined> {
    const { host, port } = site.server;
    const backend: Backend = (await changedBackend(changes))({ options: { host, port } });
    await backend.open({ report: () => undefined });
    try {
      const property = fc.asyncProperty(plans(STEPS), (plan) =>
        new Sequence({ backend, admin: site.admin, limits }, `q${queues++}`, plan).run(),
      );
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      const result = await fc.check(property, { numRuns: runs, endOnFailure: true, ...seed });
      if (!result.failed) return undefined;
      const error = result.errorInstance;
      const where = `seed ${result.seed}, sequence ${result.numRuns}`;
      if (error instanceof Broken) return Object.assign(error, { message: `${where}: ${error.message}` });
      throw new Error(where, { cause: error });
    } finally {
      await backend.close();
    }
  }

  const timeout = 60_000 + RUNS * 2000;

  test("with the limits as they are", { timeout }, async () => {
    const broken = await search([], AS_IS, RUNS);
    if (broken !== undefined) throw broken;
  });

  test(
    "with small limits: catching up, kicking, passing over and forgetting answers takes many steps",
    { timeout },
    async () => {
      const broken = await search(SMALL_LIMITS, SMALL, RUNS);
      if (broken !== undefined) throw broken;
    },
  );

  /** What is wrong, the text, what stands there instead, and the invariant that must tell. */
  const bugs: readonly (readonly [string, Change, string])[] = [
    [
      "a job that goes leaves its end behind",
      ["if f.ttl or job.kind == 'e' then call('ZREM', ENDS, job.id) end", ""],
      "endsHoldWhatEnds",
    ],
    [
      "a job that goes keeps its key",
      ["if f.key and job.kind ~= 'e' then call('HDEL', NAMES, f.key) end", ""],
      "namesHoldKeys",
    ],
    ["a job that goes leaves its progress behind", [", 'p' .. job.id", ""], "extrasFitMarks"],
    ["a take counts one lease too many", ["'n' .. fence, n,", "'n' .. fence, n + 1,"], "takesCountLeases"],
    ["a lease that is over is not counted off", ["forget({ [job.fence] = 1 })", ""], "takesCountLeases"],
    [
      "a buried job blocks its group",
      ["local group = features(job).group\n  if group then offer(group) end", ""],
      "headsOfLanesAreOffered",
    ],
    [
      "a leased job stays in the lane of its group",
      ["call('ZREM', LANES, laneOf(f.group) .. sub(member, 2))", ""],
      "lanesHoldTheMembersInOrder",
    ],
    [
      "the next lease of a group is not written down",
      ["call('HSET', GROUPS, f.group, 'l' .. id)", ""],
      "groupsPointAtTheirOccupant",
    ],
    ["jobs that are gone are not forgotten", ["each('SREM', GONE, passed)", ""], "listHoldsJobsWithoutState"],
    [
      "a job that comes back while it is gone from the list is appended",
      ["and (others == 0 or call('EXISTS', root .. 'gone') == 0)", ""],
      "listHoldsJobsWithoutState",
    ],
    ["the rest of a run is lost", ["if rest then call('LPUSH', FIFO, rest) end", ""], "listHoldsJobsWithoutState"],
    [
      "a moment is looked at too late",
      ["call('HSET', META, 'next', first)", "call('HSET', META, 'next', first + 1)"],
      "nextIsNotLate",
    ],
    [
      "each job leaves a token, however few wait",
      ["math.min(tokens, waiting - call('LLEN', WAKE))", "tokens"],
      "tokensAreBounded",
    ],
    ["a generation of answers never ends", ["if before >= GENERATION or", "if"], "answersAreBounded"],
    ["answers last for ever", ["call('PEXPIRE', ANSWERS, 2 * WINDOW + 5000)", ""], "answersAreBounded"],
    [
      "the older generation is forgotten",
      ["or call('HGET', OLDER, request)", ""],
      "repeatIsTheSame or countersTellWhatWasDone",
    ],
    [
      "what is due is not looked at while there is much of it",
      ["if not job or not behind then", "if true then"],
      "byIdIsExact",
    ],
    [
      "a take stops at a job that is gone",
      ["while #passed < MOST_PASSED do", "while not someGone do"],
      "nothingIsLeft",
    ],
    ["a kick in steps kicks as many in each", ["before = tonumber(sub(known, 6))", ""], "countersTellWhatWasDone"],
    ["a job is lost on its way into the list", ["run.ids[#run.ids + 1] = id", "call('HDEL', JOBS, id)"], "noJobIsLost"],
  ];

  test.each(bugs)("finds out when %s", { timeout }, async (_what, bug, invariants) => {
    const broken = await search([bug, ...SMALL_LIMITS], SMALL, RUNS_TO_CATCH);
    const told = broken?.names.filter((name) => invariants.split(" or ").includes(name)) ?? [];
    expect(told, broken?.message ?? "nothing was found").not.toEqual([]);
  });

  test("does not run at all when a change has no place", async () => {
    await expect(changedBackend([["a text of no script", ""]])).rejects.toThrow("in no script: a text of no script");
  });
});
