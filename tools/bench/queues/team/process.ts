/** A member of a team: some workers in a process of its own. The client asks, it answers. See workloads/team.ts. */
import { Jobs, crowd, targetOf } from "../workload.ts";
import type { Side, Work } from "../side.ts";
import type { RunSpec } from "../spec.ts";
import type { TeamReply, TeamRequest } from "./messages.ts";

/** How often it tells how far it is, in ms: the clock stops late by so much at most. */
const TICK = 10;

let jobs: Jobs | undefined;
let work: Work | undefined;
let acked = 0;
let ticking: NodeJS.Timeout | undefined;

function tell(reply: TeamReply): void {
  process.send?.(reply);
}

async function prepare(spec: RunSpec, workers: number): Promise<void> {
  const { side } = (await import(spec.module)) as { readonly side: () => Promise<Side> };
  const audited = new Jobs(spec, spec.jobs);
  const options = {
    concurrency: spec.shape.concurrency ?? 1,
    prefilled: true,
    handler: (payload: Parameters<typeof audited.audit.done>[0]) => void audited.audit.done(payload),
    acked: () => void acked++,
  };
  jobs = audited;
  acked = 0;
  work = await crowd(await side(), targetOf(spec), options, workers);
  tell({ type: "ready" });
}

function start(): void {
  const before = process.cpuUsage();
  work!.start();
  ticking = setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    tell({ type: "progress", acked, cpuUs: user + system });
  }, TICK);
}

async function finish(): Promise<void> {
  clearInterval(ticking);
  await work!.close();
  tell({ type: "finished", counts: jobs!.audit.counts });
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
