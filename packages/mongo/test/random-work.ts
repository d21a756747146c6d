/** Random work: hands that make calls of all kinds, and what disturbs them. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Backend,
  type ControlParams,
  type DeliveredJob,
  isPqError,
  type JobId,
  newRequestId,
  type NewJob,
  type PutParams,
  type Settlement,
} from "@pq/core/backend";
import { type FaultProxy, newJob } from "@pq/core/testing";
import type { RecordState } from "../src/page/job.ts";
import { Dice } from "./dice.ts";

/** In ms. Those of some jobs are shorter, so that they run out. */
const LEASE = 5000;

/** What an operator does, without who asks for it. */
type What = ControlParams extends infer Each
  ? Each extends ControlParams
    ? Omit<Each, "request" | "queue">
    : never
  : never;

/** A call is several commands on our collections: each of them may be lost. Greetings are none. */
export function isOurs(bytes: Uint8Array): boolean {
  return /\0pq\.\w+\0/.test(Buffer.from(bytes).toString("latin1"));
}

function randomJob(dice: Dice): NewJob {
  return newJob({
    payload: "x".repeat(dice.once(20) ? 5000 : dice.below(40)),
    priority: dice.once(4) ? dice.below(3) - 1 : 0,
    urgent: dice.once(10),
    due: dice.once(5) ? { in: dice.below(400) } : null,
    ttl: dice.once(8) ? 1 + dice.below(600) : null,
    lease: dice.once(10) ? 50 + dice.below(300) : null,
    key: dice.once(4) ? `key-${dice.below(8)}` : null,
    group: dice.once(2) ? `group-${dice.below(5)}` : null,
    maxAttempts: 1 + dice.below(4),
    keepResult: dice.once(5) ? 1 + dice.below(500) : null,
  });
}

const settlements: readonly ((dice: Dice) => Omit<Settlement, "id" | "fence">)[] = [
  (dice) => ({ type: "ack", result: dice.once(2) ? Buffer.from("result") : null }),
  () => ({ type: "ack", result: null }),
  () => ({ type: "ack", result: null }),
  (dice) => ({ type: "release", delay: dice.once(2) ? 0 : dice.below(200) }),
  () => ({ type: "requeue" }),
  (dice) => ({ type: "fail", delay: dice.once(2) ? 0 : dice.below(200), error: "e" }),
  (dice) => ({ type: "bury", error: dice.once(2) ? "b" : null }),
];

/** A call, which can be repeated on any backend. */
type Call = (backend: Backend) => Promise<unknown>;

/** One pair of hands: calls of all kinds. */
export class Hand {
  readonly #dice: Dice;
  readonly #queue: string;
  readonly #held: DeliveredJob[] = [];
  readonly #ids: JobId[] = [];
  /** Jobs by what was answered: stored, not stored, and finished or deleted. */
  readonly added: Set<JobId> = new Set();
  readonly refused: Set<JobId> = new Set();
  readonly over: Set<JobId> = new Set();
  /** Calls that were given up: others were quicker, or commands of them lost. */
  givenUp = 0;

  constructor(seed: number, queue: string) {
    this.#dice = new Dice(seed);
    this.#queue = queue;
  }

  /** Make calls, one after the other; most of those that fail again, on any of the backends. */
  async work(backends: readonly Backend[], until: number): Promise<void> {
    const dice = this.#dice;
    while (Date.now() < until) {
      const call = this.#call();
      for (let more = true; more;) more = !(await this.#make(call, dice.of(backends))) && !dice.once(4);
    }
  }

  async #make(call: Call, backend: Backend): Promise<boolean> {
    try {
      await call(backend);
      return true;
    } catch (error) {
      if (!isPqError(error, "UNAVAILABLE") && !isPqError(error, "OUTCOME_UNKNOWN")) throw error;
      this.givenUp++;
      return false;
    }
  }

  #call(): Call {
    const dice = this.#dice;
    if (dice.once(200)) return this.#control({ type: "truncate" });
    if (!dice.once(8)) return dice.of([this.#put, this.#bounded, this.#take, this.#settle, this.#touch])();
    return dice.of<() => Call>([
      () => this.#control({ type: "kick", limit: 1 + dice.below(20) }),
      () => this.#control({ type: "dig", ids: this.#some(this.#ids) }),
      () => this.#delete(this.#some(this.#ids)),
      () => this.#control({ type: dice.of(["pause", "resume", "resume"]) }),
      () => (backend) => backend.stats(this.#queue),
      () => this.#read,
    ])();
  }

  readonly #put = (bound: Pick<PutParams, "maxSize" | "partial"> = { maxSize: null, partial: false }): Call => {
    const dice = this.#dice;
    const jobs = Array.from({ length: 1 + dice.below(dice.once(6) ? 30 : 3) }, () => randomJob(dice));
    this.#ids.push(...jobs.map(({ id }) => id));
    const params = { request: newRequestId(), after: null, queue: this.#queue, jobs, transaction: null, ...bound };
    return async (backend) => {
      const outcomes = await backend.put(params);
      outcomes.forEach(({ status }, at) => (status === "added" ? this.added : this.refused).add(jobs[at]!.id));
    };
  };

  readonly #bounded = (): Call => this.#put({ maxSize: 20 + this.#dice.below(60), partial: this.#dice.once(2) });

  readonly #take = (): Call => {
    const limit = 1 + this.#dice.below(this.#dice.once(5) ? 40 : 4);
    const params = { request: newRequestId(), queue: this.#queue, limit, lease: LEASE };
    return async (backend) => this.#held.push(...(await backend.take(params)));
  };

  readonly #settle = (): Call => {
    const dice = this.#dice;
    const held = this.#some(this.#held);
    const items = held.map(({ id, fence }) => ({ id, fence, ...dice.of(settlements)(dice) }) as Settlement);
    const params = { request: newRequestId(), queue: this.#queue, items };
    return async (backend) => {
      if (items.length === 0) return;
      const outcomes = await backend.settle(params);
      items.forEach(({ id, type }, at) => type === "ack" && outcomes[at] !== "lost" && this.over.add(id));
    };
  };

  readonly #touch = (): Call => {
    const held = this.#held.slice(-3);
    const items = held.map(({ id, fence }) => ({ id, fence, lease: LEASE, progress: Buffer.from("p") }));
    const params = { request: newRequestId(), queue: this.#queue, items };
    return async (backend) => items.length > 0 && backend.touch(params);
  };

  readonly #read: Call = (backend) => {
    const state = this.#dice.of(["ready", "delayed", "buried", "done"] as const);
    return backend.read({ queue: this.#queue, state, limit: 50, cursor: null });
  };

  #delete(ids: readonly JobId[]): Call {
    const params = { request: newRequestId(), queue: this.#queue, type: "delete" as const, ids };
    return async (backend) => {
      const { outcomes } = await backend.control(params);
      ids.forEach((id, at) => outcomes[at] === "done" && this.over.add(id));
    };
  }

  #control(what: What): Call {
    const params = { request: newRequestId(), queue: this.#queue, ...what };
    return (backend) => backend.control(params);
  }

  /** The last ones, and the hand has them no longer. */
  #some<T>(values: T[]): T[] {
    return values.splice(-1 - this.#dice.below(4));
  }
}

/** Lose commands and cut connections. */
export async function harm(proxies: readonly FaultProxy[], dice: Dice, until: number): Promise<void> {
  while (Date.now() < until) {
    await sleep(50 + dice.below(500));
    const proxy = dice.of(proxies);
    if (dice.once(5)) proxy.cut();
    else if (dice.once(2)) proxy.loseReply();
    else proxy.loseRequest();
  }
}

/** What was answered and does not agree with the states of the jobs. */
export function untrue({ added, refused, over }: Hand, states: ReadonlyMap<JobId, readonly RecordState[]>): string[] {
  const of = (id: JobId): string => states.get(id)?.join() ?? "nowhere";
  return [
    ...[...added].filter((id) => states.get(id)?.length !== 1).map((id) => `${id} was added, and is ${of(id)}`),
    ...[...refused].filter((id) => states.has(id)).map((id) => `${id} was not added, and is ${of(id)}`),
    ...[...over].filter((id) => !/^(?:gone|done)$/.test(of(id))).map((id) => `${id} is over, and is ${of(id)}`),
  ];
}
