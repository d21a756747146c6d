/** Processes that work on one queue, one command at a time, in an order that follows from a seed. Each may die after any command. */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import {
  type DeliveredJob,
  type JobId,
  type LeaseProof,
  newRequestId,
  type NewJob,
  type PutOutcome,
  type PutParams,
  type Settlement,
} from "@pq/core/backend";
import type { Db } from "mongodb";
import { Call } from "../src/call.ts";
import { operatorChange, settleChange } from "../src/changes.ts";
import { collectionOptions } from "../src/client-options.ts";
import { kick } from "../src/control.ts";
import { readHeadNow } from "../src/head.ts";
import { housekeep } from "../src/housekeeping.ts";
import { type Page, readPage } from "../src/page/page.ts";
import { Pages } from "../src/pages.ts";
import type { QueueParts } from "../src/parts.ts";
import { put } from "../src/put.ts";
import { Rounds } from "../src/rounds.ts";
import { type Collections, collections } from "../src/schema.ts";
import { ServerTime } from "../src/server-time.ts";

const TIMEOUT = 60_000;

/** Repeatable chance. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed % 2_147_483_646) + 1;
    for (let warmUp = 0; warmUp < 10; warmUp++) this.below(1);
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % below;
  }

  /** Once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** A way to settle. */
export type Way = Settlement extends infer Each
  ? Each extends Settlement
    ? Omit<Each, "id" | "fence">
    : never
  : never;

export const ack: Way = { type: "ack", result: null };

const LONG = 60_000;

/** What the calls of a process end with that is dead. */
class Died extends Error {
  override readonly name = "Died";
}

/** Works on the queue, as a process of its own. */
export class Actor {
  readonly #parts: QueueParts;
  readonly #rounds: Rounds;
  readonly #stage: Stage;
  #commands = 0;
  #mostCommands = Infinity;

  constructor(stage: Stage) {
    const { queue } = stage;
    this.#stage = stage;
    const report = ({ message }: { readonly message: string }): void => void stage.reports.push(message);
    const freed = (): void => undefined;
    this.#parts = { queue, pages: new Pages(queue, report), time: new ServerTime(), report, freed };
    this.#rounds = new Rounds(this.#parts, () => this.#call());
  }

  get dead(): boolean {
    return this.#commands > this.#mostCommands;
  }

  /** Die after so many more commands, which are carried out. */
  dieIn(commands: number): void {
    this.#mostCommands = this.#commands + commands;
  }

  put(...jobs: readonly NewJob[]): Promise<readonly PutOutcome[]> {
    return this.putAs({ jobs });
  }

  putAs(params: Pick<PutParams, "jobs"> & Partial<PutParams>): Promise<readonly PutOutcome[]> {
    const plain = { request: newRequestId(), after: null, maxSize: null, partial: false, transaction: null };
    return put(this.#call(), this.#parts, { ...plain, queue: this.#parts.queue, ...params });
  }

  take(limit: number, lease: number = LONG): Promise<readonly DeliveredJob[]> {
    const { queue } = this.#parts;
    return this.#rounds.take({ request: newRequestId(), queue, limit, lease });
  }

  async settle(way: Way, ...held: readonly LeaseProof[]): Promise<void> {
    const { queue } = this.#parts;
    const items = held.map(({ id, fence }) => ({ id, fence, ...way }));
    if (items.length > 0) await this.#rounds.change(settleChange({ request: newRequestId(), queue, items }));
  }

  async remove(...ids: JobId[]): Promise<void> {
    const { queue } = this.#parts;
    await this.#rounds.change(operatorChange({ request: newRequestId(), queue, type: "delete", ids }));
  }

  async kick(limit = 100): Promise<void> {
    const { queue } = this.#parts;
    await kick(this.#call(), this.#parts, { request: newRequestId(), queue, type: "kick", limit });
  }

  /** Do all that has fallen due. */
  async lookAfter(): Promise<void> {
    await readHeadNow(this.#call(), this.#parts);
    while (await housekeep(this.#call(), this.#parts));
  }

  /** Run a command when it is its turn. A dead process runs none. */
  async run<T>(command: () => Promise<T>): Promise<T> {
    this.#commands++;
    if (this.dead) throw new Died(`after ${this.#mostCommands} commands`);
    return this.#stage.inTurn(command);
  }

  /** A call that waits for its turn before each command. */
  #call(): Call {
    return new ActorsCall(this, this.#stage.collections);
  }
}

class ActorsCall extends Call {
  readonly #actor: Actor;

  constructor(actor: Actor, all: Collections) {
    const begin = () => (): void => undefined;
    super({ address: "test", timeout: TIMEOUT, repeats: false, collections: () => all, begin }, false);
    this.#actor = actor;
  }

  override read<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#actor.run(() => super.read(command));
  }

  override write<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#actor.run(() => super.write(command));
  }
}

/** Where they work. */
export class Stage {
  readonly collections: Collections;
  readonly #dice: Dice;
  readonly queue: string;
  /** What its processes told operators. */
  readonly reports: string[] = [];
  /** Commands that wait for their turns. */
  readonly #waiting: (() => Promise<void>)[] = [];

  constructor(db: Db, queue: string, seed: number) {
    this.collections = collections(db, "pq", collectionOptions(TIMEOUT));
    this.queue = queue;
    this.#dice = new Dice(seed);
  }

  /** A process. */
  actor(): Actor {
    return new Actor(this);
  }

  /** Let one process do this alone. */
  async alone<T>(work: (actor: Actor) => Promise<T>): Promise<T> {
    const actor = this.actor();
    let result: T | undefined;
    await this.run([async () => (result = await work(actor))]);
    return result!;
  }

  /** Let these do their work, side by side. `between` is run now and then, when nobody is at work. */
  async run(works: readonly (() => Promise<unknown>)[], between?: () => Promise<void>): Promise<void> {
    const ends: (Error | undefined)[] = [];
    for (const work of works) {
      work().then(
        () => ends.push(undefined),
        (error: Error) => ends.push(error instanceof Died ? undefined : error),
      );
    }
    const busy = (): boolean => ends.length < works.length && ends.every((end) => end === undefined);
    for (let steps = 1; busy(); steps++) {
      await turn();
      if (!(await this.#step())) await sleep(1);
      if (steps % 10 === 0) await between?.();
    }
    // What the dead have sent still arrives.
    while (await this.#step());
    const failed = ends.find((end) => end !== undefined);
    if (failed !== undefined) throw failed;
  }

  /** Run one of the commands that wait. */
  async #step(): Promise<boolean> {
    const [next] = this.#waiting.splice(this.#dice.below(Math.max(1, this.#waiting.length)), 1);
    await next?.();
    return next !== undefined;
  }

  /** Run this when it is chosen. */
  inTurn<T>(command: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => command().then(resolve, reject));
    });
  }

  /** All pages, as they are stored. */
  async pages(): Promise<Page[]> {
    return (await this.collections.pages.find({ q: this.queue }).toArray()).map(readPage);
  }
}
