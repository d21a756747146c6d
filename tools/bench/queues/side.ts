/**
 * What a queue must do to take part. One file in `sides/` for each.
 *
 * A run opens a side anew: a producer, a worker or both, over connections of their own, on an empty server. Everything that a program does once
 * (connecting, loading scripts) happens before `start`, outside the clock.
 */
import type { Payload } from "./payload.ts";

/** Where, and how. */
export interface Target {
  /** The address of the server, as its clients have it. */
  readonly url: string;
  readonly queue: string;
  /** The fastest documented settings of equal promises; otherwise what the library does when nothing is said. */
  readonly tuned: boolean;
  /** Deliveries that a job may have; 1 where no job fails. */
  readonly attempts: number;
  /** The worker must also look after delayed jobs. */
  readonly delays: boolean;
  /** Jobs are in groups. */
  readonly grouped: boolean;
}

/** A job to put. */
export interface Task {
  readonly payload: Payload;
  /** 0 .. 9, lower is sooner. */
  readonly priority?: number;
  /** The jobs of a group come out one at a time, in order. */
  readonly group?: string;
  /** Ready at this time, in ms since 1970. */
  readonly due?: number;
}

/** Puts jobs. Each call resolves when the store has confirmed it. */
export interface Producer {
  put(task: Task): Promise<unknown>;
  /** By the library's call for many jobs. */
  putMany(tasks: readonly Task[]): Promise<unknown>;
  /** How many jobs the queue holds. */
  size?(): Promise<number>;
  close(): Promise<unknown>;
}

/** How to work. */
export interface WorkOptions {
  readonly concurrency: number;
  /** All jobs are there before the start. Otherwise they come while it works. */
  readonly prefilled: boolean;
  /** Called with each delivery; throws to fail it. Made to answer at once: the queue is measured, not the work. */
  readonly handler: (payload: Payload) => void;
  /** To be called when the store has confirmed the end of a job: done, not failed. */
  readonly acked: () => void;
}

/** A worker that is connected and waits for its start. */
export interface Work {
  start(): void;
  close(): Promise<unknown>;
}

/** What a row may need that not every queue has. */
export type Feature = "audit" | "priority" | "delay" | "retry" | "worker";

/** A queue that takes part. */
export interface Side {
  /** As in the report: `BullMQ 6.7.0`. */
  readonly title: string;
  /** How it is set up when tuned, in one sentence. */
  readonly setup: string;
  /** Why it cannot take part in rows that need this. */
  readonly missing: Partial<Record<Feature, string>>;
  producer(target: Target): Promise<Producer>;
  worker(target: Target, options: WorkOptions): Promise<Work>;
  /** All payloads that the queue holds, where taking them out to see them would take too long. */
  stored?(target: Target): AsyncIterable<Payload>;
  /** Many workers in one process, the way the library would have it. Default: `worker`, so many times. */
  crowd?(target: Target, options: WorkOptions, workers: number): Promise<Work>;
  /** The processes that do its work besides this one, while they run: what they use is counted too. */
  processes?(): readonly number[];
}
