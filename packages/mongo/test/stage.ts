/** Processes that work on one queue, one step at a time, in an order that follows from a seed. Each may die after any step. */
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
  systemClock,
} from "@pq/core/backend";
import type { Db } from "mongodb";
import { Call, type CallContext } from "../src/call.ts";
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
import { type Collections, collections, type PageDocument } from "../src/schema.ts";
import { ServerTime } from "../src/server-time.ts";
import { Dice } from "./dice.ts";
import type { MemoryStore } from "./memory-store.ts";

const TIMEOUT = 60_000;

/** A way to settle. */
export type Way = Settlement extends infer Each
  ? Each extends Settlement
    ? Omit<Each, "id" | "fence">
    : never
  : never;

export const ack: Way = { type: "ack", result: null };

const LONG = 60_000;
/** Turns in which nobody takes a step, after which somebody waits for a timer. */
const MOST_IDLE = 20;

/** Where the queue is. A step is a command on a server, and in memory each document that a command reads or writes. */
export interface Ground {
  /** A call whose steps are taken by `actor.step`. */
  call(actor: Actor): Call;
  pages(queue: string): Promise<Page[]>;
  /** ms since 1970. */
  now(): number;
}

/** A database on a server. */
export function onServer(db: Db): Ground {
  const all = collections(db, "pq", collectionOptions(TIMEOUT));
  return {
    call: (actor) => new SteppedCall(actor, all),
    pages: async (q) => (await all.pages.find({ q }).toArray()).map(readPage),
    now: () => Date.now(),
  };
}

/** Documents in memory. */
export function inMemory(store: MemoryStore): Ground {
  return {
    call: (actor) => new MortalCall(actor, store),
    pages: async () => [...store.documents("pages").values()].map((page) => readPage(page as unknown as PageDocument)),
    now: () => store.now,
  };
}

function contextOf(all: Collections): CallContext {
  const begin = () => (): void => undefined;
  return { address: "test", timeout: TIMEOUT, repeats: false, collections: () => all, begin };
}

/** What the calls of a process end with that is dead. */
class Died extends Error {
  override readonly name = "Died";
}

/** Works on the queue, as a process of its own. */
export class Actor {
  readonly #parts: QueueParts;
  readonly #rounds: Rounds;
  readonly #stage: Stage;
  #steps = 0;
  #mostSteps = Infinity;

  constructor(stage: Stage) {
    const { queue, ground } = stage;
    const time = new ServerTime({ ...systemClock, monotonic: () => ground.now() });
    time.saw(ground.now());
    this.#stage = stage;
    const report = ({ message }: { readonly message: string }): void => void stage.reports.push(message);
    const freed = (): void => undefined;
    this.#parts = { queue, pages: new Pages(queue, report), time, report, freed };
    this.#rounds = new Rounds(this.#parts, () => this.#call());
  }

  get dead(): boolean {
    return this.#steps > this.#mostSteps;
  }

  /** Die after so many more steps, which are taken. */
  dieIn(steps: number): void {
    this.#mostSteps = this.#steps + steps;
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

  /** Take a step when it is its turn. The dead take none. */
  async step<T>(take: () => Promise<T>): Promise<T> {
    this.#steps++;
    if (this.dead) throw new Died(`after ${this.#mostSteps} steps`);
    return this.#stage.inTurn(this, take);
  }

  #call(): Call {
    return this.#stage.ground.call(this);
  }
}

class SteppedCall extends Call {
  readonly #actor: Actor;

  constructor(actor: Actor, all: Collections) {
    super(contextOf(all), false);
    this.#actor = actor;
  }

  override read<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#actor.step(() => super.read(command));
  }

  override write<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#actor.step(() => super.write(command));
  }
}

/** The steps are those of the store; an error of the dead is that they died. */
class MortalCall extends Call {
  readonly #actor: Actor;

  constructor(actor: Actor, store: MemoryStore) {
    super(contextOf(store.collections(() => actor.step(async () => undefined))), false);
    this.#actor = actor;
  }

  override read<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return super.read(command).catch(this.#die);
  }

  override write<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return super.write(command).catch(this.#die);
  }

  readonly #die = (error: unknown): never => {
    throw this.#actor.dead ? new Died("in a command") : error;
  };
}

/** A step that waits. */
interface Waiting {
  readonly actor: Actor;
  readonly take: () => Promise<void>;
}

/** Whose step is next: anybody's; mostly the same one's; or that of the first in a list which changes now and then, so that some stand still for long. */
const MANNERS = ["any", "same", "list"] as const;

/** Where they work. */
export class Stage {
  readonly ground: Ground;
  readonly queue: string;
  /** What its processes told operators. */
  readonly reports: string[] = [];
  readonly #dice: Dice;
  readonly #manner: (typeof MANNERS)[number];
  readonly #ranks = new Map<Actor, number>();
  #waiting: readonly Waiting[] = [];
  #last: Actor | undefined;

  constructor(ground: Ground, queue: string, seed: number) {
    this.ground = ground;
    this.queue = queue;
    this.#dice = new Dice(seed);
    this.#manner = this.#dice.of(MANNERS);
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

  /** Let these do their work, side by side. `between` is run after every so many steps, when nobody is at work. */
  async run(
    works: readonly (() => Promise<unknown>)[],
    between?: { readonly steps: number; readonly run: () => Promise<void> },
  ): Promise<void> {
    const ends: (Error | undefined)[] = [];
    for (const work of works) {
      work().then(
        () => ends.push(undefined),
        (error: Error) => ends.push(error instanceof Died ? undefined : error),
      );
    }
    const busy = (): boolean => ends.length < works.length && ends.every((end) => end === undefined);
    let idle = 0;
    for (let steps = 1; busy(); steps++) {
      await turn();
      if (await this.#step()) idle = 0;
      else if (++idle > MOST_IDLE) await sleep(1);
      await turn();
      if (between !== undefined && steps % between.steps === 0) await between.run();
    }
    // What the dead have sent still arrives.
    while (await this.#step());
    const failed = ends.find((end) => end !== undefined);
    if (failed !== undefined) throw failed;
  }

  /** Take this step when it is chosen. */
  inTurn<T>(actor: Actor, take: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting = [...this.#waiting, { actor, take: () => take().then(resolve, reject) }];
    });
  }

  /** All pages, as they are stored. */
  pages(): Promise<Page[]> {
    return this.ground.pages(this.queue);
  }

  /** Take one of the steps that wait. */
  async #step(): Promise<boolean> {
    if (this.#waiting.length === 0) return false;
    const next = this.#dice.of(this.#candidates());
    this.#waiting = this.#waiting.filter((each) => each !== next);
    this.#last = next.actor;
    await next.take();
    return true;
  }

  #candidates(): readonly Waiting[] {
    if (this.#manner === "any" || this.#dice.once(10)) return this.#waiting;
    const first = this.#manner === "same" ? this.#last : this.#firstOfList();
    const his = this.#waiting.filter(({ actor }) => actor === first);
    return his.length > 0 ? his : this.#waiting;
  }

  #firstOfList(): Actor | undefined {
    for (const { actor } of this.#waiting) {
      if (!this.#ranks.has(actor) || this.#dice.once(60)) this.#ranks.set(actor, this.#dice.below(1000));
    }
    return this.#waiting
      .map(({ actor }) => actor)
      .reduce((a, b) => (this.#ranks.get(b)! > this.#ranks.get(a)! ? b : a));
  }
}
