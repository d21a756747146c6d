/**
 * One side in a process of its own, so that nobody's garbage or compiled code slows another. Its parent asks, it answers, one thing at a time:
 *
 *     describe            who are you?
 *     prepare -> go -> finish    one run: get ready; work under the clock; audit and close
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { profiled } from "./profile.ts";
import type { Side } from "./side.ts";
import type { Description, Reply, Request, RunSpec, Timed, WorkloadName } from "./spec.ts";
import { usageOfSide } from "./usage.ts";
import type { Prepared, Workload } from "./workload.ts";
import { cycle } from "./workloads/cycle.ts";
import { delayed } from "./workloads/delayed.ts";
import { depth } from "./workloads/depth.ts";
import { drain } from "./workloads/drain.ts";
import { idle } from "./workloads/idle.ts";
import { latency } from "./workloads/latency.ts";
import { put } from "./workloads/put.ts";
import { team } from "./workloads/team.ts";
import { putMany } from "./workloads/put-many.ts";

const workloads: Readonly<Record<WorkloadName, Workload>> = {
  put,
  "put-many": putMany,
  drain,
  team,
  cycle,
  depth,
  latency,
  delayed,
  idle,
};

/** The timer that watches the event loop; its own interval is in what it records. In ms. */
const LOOP_RESOLUTION = 10;

let side: Promise<Side> | undefined;
let prepared: Prepared | undefined;
/** The name of the run. */
let run = "";

function theSide(): Promise<Side> {
  side ??= loadSide(process.argv[2]!);
  return side;
}

async function loadSide(module: string): Promise<Side> {
  return ((await import(module)) as { side(): Promise<Side> }).side();
}

async function describe(): Promise<Description> {
  const { title, setup, missing } = await theSide();
  return { title, setup, missing, node: process.versions.node };
}

async function prepare(spec: RunSpec): Promise<void> {
  run = spec.run;
  prepared = await workloads[spec.shape.workload](await theSide(), spec);
}

async function go(): Promise<Timed> {
  const workload = prepared!;
  const mine = await theSide();
  await globalThis.gc?.({ execution: "async" });
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION });
  loop.enable();
  const before = usageOfSide(mine);
  const start = performance.now();
  await profiled(process.argv[3], run, () => workload.run());
  const ms = performance.now() - start;
  const after = usageOfSide(mine);
  loop.disable();
  const loopP99 = Math.max(0, loop.percentile(99) / 1e6 - LOOP_RESOLUTION);
  return {
    ms,
    figures: {
      clientCpuUs: after.cpuUs - before.cpuUs,
      loopP99,
      clientRss: after.rss,
      clientMiB: after.rss / 2 ** 20,
      ...workload.figures(ms),
    },
  };
}

async function finish(): Promise<readonly string[]> {
  const problems = await prepared!.check();
  await prepared!.end();
  prepared = undefined;
  return problems;
}

async function answer(request: Request): Promise<unknown> {
  switch (request.type) {
    case "describe":
      return describe();
    case "prepare":
      return prepare(request.spec);
    case "go":
      return go();
    case "finish":
      return finish();
  }
}

async function reply(request: Request): Promise<void> {
  let message: Reply;
  try {
    message = { ok: true, value: await answer(request) };
  } catch (error) {
    message = { ok: false, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(message);
}

process.on("message", (request: Request) => void reply(request));
process.on("disconnect", () => process.exit(0));
