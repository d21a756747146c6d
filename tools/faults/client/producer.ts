/** Puts jobs of all kinds, each call after the one before it. */
import { randomUUID } from "node:crypto";
import { isPqError, type PutOptions, type PutResult, type Queue } from "@pq/core";
import type { PutJob } from "../event.ts";
import type { Random } from "../random.ts";
import { now, pass } from "../time.ts";
import { codeOf, type Log, outcomeOf } from "./log.ts";
import { type Payload, payloadFor } from "./payload.ts";
import type { ClientSpec } from "./spec.ts";

/** What a producer works with. */
export interface ProducerParts {
  readonly queue: Queue<Payload>;
  readonly log: Log;
  readonly random: Random;
  readonly spec: ClientSpec;
  /** Aborts when it is to end. */
  readonly signal: AbortSignal;
}

/** Put until the end. */
export async function produce(parts: ProducerParts): Promise<void> {
  const { random, spec, signal } = parts;
  const began = now();
  let put = 0;
  while (!signal.aborted) {
    const early = (put * 1000) / spec.rate - (now() - began);
    // After an outage it does not catch up: that would be another load than the one asked for.
    if (early > 0) await pass(Math.min(early, 1000));
    else if (early < -2000) put = Math.floor(((now() - began) * spec.rate) / 1000);
    const kind = random.weighted({ single: 8, many: 1, urgent: 0.5, volley: 1 });
    // A volley is several calls at once, which the library makes one of.
    const calls = kind === "volley" ? 2 + random.below(20) : 1;
    const jobs = kind === "many" ? 2 + random.below(30) : 1;
    await Promise.all(Array.from({ length: calls }, () => putOnce(parts, jobs, kind === "urgent")));
    put += calls * jobs;
  }
}

async function putOnce({ queue, log, random, spec }: ProducerParts, count: number, urgent: boolean): Promise<void> {
  const jobs = Array.from({ length: count }, () => newJob(random, spec.name, { urgent, many: count > 1 }));
  const payloads = jobs.map(({ id }) => payloadFor(id, random));
  const options = jobs.map((job) => optionsOf(job, random, urgent));
  const call = log.begin({ type: "put", deadline: spec.deadline, jobs });
  try {
    const results = await send(queue, { payloads, options, urgent });
    const duplicates = results.flatMap(({ id, status }, at) => (status === "duplicate" ? [[jobs[at]!.id, id]] : []));
    log.end(call, "ok", { duplicates: Object.fromEntries(duplicates) as Record<string, string> });
  } catch (error) {
    log.end(call, outcomeOf(error), { code: codeOf(error) });
    if (!isPqError(error)) throw error;
  }
}

interface Load {
  readonly payloads: readonly Payload[];
  readonly options: readonly PutOptions[];
  readonly urgent: boolean;
}

async function send(queue: Queue<Payload>, { payloads, options, urgent }: Load): Promise<readonly PutResult[]> {
  if (payloads.length > 1) return queue.putMany(payloads, (_payload, index) => options[index]!);
  if (urgent) return [await queue.urgent(payloads[0]!, options[0])];
  return [await queue.put(payloads[0]!, options[0])];
}

function newJob(random: Random, producer: string, { urgent, many }: { urgent: boolean; many: boolean }): PutJob {
  const group = !urgent && random.chance(0.25) ? { group: `${producer}-${random.below(6)}` } : {};
  // Keys are few, shared by all producers, and held for a while, so that many puts meet a live one.
  const key = !many && random.chance(0.15) ? { key: `key-${random.below(12)}` } : {};
  const late = !urgent && !("group" in group) && random.chance("key" in key ? 0.7 : 0.15);
  const delay = late ? { delay: 1 + random.below(3000) } : {};
  return { id: randomUUID(), maxAttempts: random.of([1, 3, 3, 3, 5, 20]), ...group, ...delay, ...key };
}

function optionsOf(job: PutJob, random: Random, urgent: boolean): PutOptions {
  return urgent || job.group !== undefined || random.chance(0.7) ? job : { ...job, priority: random.of([-5, 1, 9]) };
}
