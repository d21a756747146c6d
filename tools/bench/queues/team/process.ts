/** A member of a team: some workers in a process of its own. The client asks, it answers. See workloads/team.ts. */
import { Jobs, crowd, monotonic, targetOf } from "../workload.ts";
import type { Payload } from "../payload.ts";
import type { Side, Work } from "../side.ts";
import type { RunSpec } from "../spec.ts";
import { usageOfSide } from "../usage.ts";
import type { TeamReply, TeamRequest } from "./messages.ts";

/** How often it tells how far it is, in ms: the clock stops late by so much at most. */
const TICK = 10;

let mine: Side | undefined;
let jobs: Jobs | undefined;
let got = new Float64Array(0);
let work: Work | undefined;
let acked = 0;
let ticking: NodeJS.Timeout | undefined;

function tell(reply: TeamReply): void {
  process.send?.(reply);
}

async function prepare(spec: RunSpec, workers: number): Promise<void> {
  const { side } = (await import(spec.module)) as { readonly side: () => Promise<Side> };
  const audited = new Jobs(spec, spec.jobs);
  const times = new Float64Array(spec.jobs);
  const options = {
    concurrency: spec.shape.concurrency ?? 1,
    prefilled: spec.shape.workload === "team",
    handler: (payload: Payload) => {
      const now = monotonic();
      const index = audited.audit.done(payload);
      if (index >= 0) times[index] = now;
    },
    acked: () => void acked++,
  };
  [jobs, got, acked] = [audited, times, 0];
  mine ??= await side();
  work = await crowd(mine, targetOf(spec), options, workers);
  tell({ type: "ready" });
}

function start(): void {
  const before = usageOfSide(mine!);
  work!.start();
  ticking = setInterval(() => {
    tell({ type: "progress", acked, cpuUs: usageOfSide(mine!).cpuUs - before.cpuUs });
  }, TICK);
}

async function finish(): Promise<void> {
  clearInterval(ticking);
  await work!.close();
  tell({ type: "finished", counts: jobs!.audit.counts, got });
}

async function answer(request: TeamRequest): Promise<void> {
  switch (request.type) {
    case "prepare":
      return prepare(request.spec, request.workers);
    case "start":
      return start();
    case "finish":
      return finish();
  }
}

async function answerOrFail(request: TeamRequest): Promise<void> {
  try {
    await answer(request);
  } catch (error) {
    tell({ type: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

process.on("message", (request: TeamRequest) => void answerOrFail(request));
process.on("disconnect", () => process.exit(0));
