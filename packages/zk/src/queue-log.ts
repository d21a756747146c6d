/** The log of one queue, as one process follows and writes it. */
import type { Bodies } from "./bodies.ts";
import type { AnswerTo, Draft } from "./draft.ts";
import { callError } from "./errors.ts";
import { Follower } from "./follower.ts";
import type { Replica } from "./replica.ts";
import { Tidier } from "./tidier.ts";
import { Writer, type WriterContext } from "./writer.ts";

/** A log. */
export class QueueLog {
  readonly #context: WriterContext;
  readonly #follower: Follower;
  readonly #writer: Writer;
  readonly #tidier: Tidier;
  /** Were entries of this process among those that were applied since the last change? */
  #own = false;

  /** `changed` is called after entries were applied, and when the replica was replaced. */
  constructor(context: WriterContext, changed: () => void) {
    this.#context = context;
    this.#follower = new Follower(context, {
      own: (position) => this.#writer.own(position),
      applied: (position, results) => {
        this.#own ||= this.#writer.own(position) !== undefined;
        this.#writer.applied(position, results);
      },
      passed: (replica) => this.#writer.passed(replica),
      changed: () => {
        this.#tidy();
        changed();
      },
    });
    this.#writer = new Writer(context, this.#follower);
    this.#tidier = new Tidier({
      paths: context.paths,
      restricted: context.restricted,
      use: () => context.use(),
      member: () => context.member(),
      replica: () => this.#follower.replica,
    });
  }

  /** The queue as far as it is known here; `null` before it was read. */
  get replica(): Replica | null {
    return this.#follower.replica;
  }

  /** The records of its jobs. */
  get bodies(): Bodies {
    return this.#follower.bodies;
  }

  /** Write a command to the log. Resolves with its answer. Rejects with `PqError`. */
  submit<D extends Draft>(draft: D): Promise<AnswerTo<D>> {
    return this.#writer.submit(draft);
  }

  /** The queue as it is now, with all that time has changed; `null` when there is no such queue. Rejects with `UNAVAILABLE`. */
  async current(): Promise<Replica | null> {
    try {
      if (!(await this.#follower.open(false))) return null;
      const now = await this.#follower.look();
      const moment = this.#follower.get().nextChange;
      // What is due is done by an entry, so that it is done at one moment for all.
      if (moment !== null && moment <= now) await this.#writer.tick();
      return this.#follower.get();
    } catch (error) {
      throw callError(error, this.#context.address, false);
    }
  }

  /** Read what has come meanwhile, `known` entries at least, and leave a watch on the next one: its position. `null`: there is no queue any more. */
  watch(known: number): Promise<number | null> {
    return this.#follower.watch(known);
  }

  /** Make the queue, if it is not there, and read it. */
  async create(): Promise<void> {
    await this.#follower.open(true);
  }

  /** End what goes on beside the calls. */
  async close(): Promise<void> {
    await this.#tidier.close();
  }

  #tidy(): void {
    const { replica } = this.#follower;
    if (replica !== null) this.#tidier.applied(replica.position, this.#own);
    this.#own = false;
  }
}
