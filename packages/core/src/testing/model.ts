/** The model test: random sequences of calls, made on a store and on the reference store, must get the same answers. */
import type { Backend } from "../backend.ts";
import { systemClock } from "../clock.ts";
import { newRequestId } from "../id.ts";
import type { Harness, TestStore } from "./harness.ts";
import type { Sides } from "./model/comparison.ts";
import { type Command, sequences } from "./model/commands.ts";
import type { CheckResult, FastCheck } from "./model/fast-check.ts";
import { type Pace, SharedPace, TickingPace, Undecided } from "./model/pace.ts";
import { ModelRun } from "./model/run.ts";
import { ReferenceBackend } from "./reference/backend.ts";
import { REPEAT_WINDOW, ReferenceStore } from "./reference/store.ts";

/** How much the model test does. */
export interface ModelTestOptions {
  /** How many sequences. Default 100. */
  readonly runs?: number;
  /** The longest sequence. Default 60. */
  readonly commands?: number;
  /** With `path`, from the report of a failure: run that one again. */
  readonly seed?: number;
  readonly path?: string;
  /** After a failure, look for a shorter sequence that fails. Default: on a manual clock only, since it takes many runs. */
  readonly shrink?: boolean;
  /** On real time: how many sequences run at once, each on its own queue. With more than 1 the store is neither reopened nor restarted. Default 5. */
  readonly lanes?: number;
  /** On real time: the length of a tick in milliseconds. Default: five times `capabilities.lateness`, at least 100. */
  readonly tick?: number;
}

/** What a model test that found nothing did. */
export interface ModelTestReport {
  /** The sequences. */
  readonly runs: number;
  /** The commands that were run in them. */
  readonly commands: number;
  /** On real time: the sequences that were given up because a command took so long that nobody could tell what is right. */
  readonly undecided: number;
}

/**
 * Runs random sequences of calls on the store of the harness and on the reference store, and compares every answer. Rejects with
 * the seed, the path, and the shortest failing sequence it found. Pass the module `fast-check` (version 3 or 4).
 *
 * With the clock of a harness that is not `systemClock`, the store shares it with the reference and everything is compared
 * exactly. On real time the test waits, and compares what is decidable (see `model/pace.ts`). Rejects too when more than half of
 * the runs were undecided: then `tick` is too short for the machine.
 *
 * @example
 * import fc from "fast-check";
 * it("behaves as the reference store", () => modelTest(harness, fc, { runs: 200 }), 60_000);
 */
export async function modelTest(
  harness: Harness,
  fc: FastCheck,
  options: ModelTestOptions = {},
): Promise<ModelTestReport> {
  const store = await harness.open();
  const test = new ModelTest(harness, store, options);
  try {
    await test.open();
    const result = await test.check(fc);
    if (result.failed) throw failure(harness.name, result);
  } catch (error) {
    await test.close().catch(() => undefined); // what went wrong first matters more
    throw error;
  }
  await test.close();
  return test.report();
}

/** One store, on which sequence after sequence runs, each on a queue of its own. */
class ModelTest {
  readonly #harness: Harness;
  readonly #store: TestStore;
  readonly #options: ModelTestOptions;
  readonly #connections: readonly [Backend, ...Backend[]];
  readonly #realTime: boolean;
  readonly #lanes: number;
  #outlivesClosing = false;
  #queues = 0;
  #commands = 0;
  #undecided = 0;

  constructor(harness: Harness, store: TestStore, options: ModelTestOptions) {
    this.#harness = harness;
    this.#store = store;
    this.#options = options;
    this.#connections = harness.capabilities.shared ? [store.connect(), store.connect()] : [store.connect()];
    this.#realTime = store.clock === systemClock;
    this.#lanes = this.#realTime ? (options.lanes ?? 5) : 1;
  }

  async open(): Promise<void> {
    for (const connection of this.#connections) {
      const { durability } = await connection.open({ report: () => undefined });
      this.#outlivesClosing = durability !== "memory" || this.#harness.capabilities.shared;
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    await this.#store.close();
  }

  async check(fc: FastCheck): Promise<CheckResult> {
    const { runs = 100, commands = 60, shrink = !this.#realTime, seed, path } = this.#options;
    const allowed = { capabilities: this.#harness.capabilities, events: this.#events() };
    const size = { minLength: this.#lanes, maxLength: this.#lanes, size: "max" } as const;
    const lanes = fc.array(sequences(fc, allowed, commands), size);
    const property = fc.asyncProperty(lanes, async (lanes) => {
      // One that fails waits for the others, so that nothing runs on when the store is closed.
      const ends = await Promise.allSettled(lanes.map((lane) => this.#run(lane)));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    });
    const numRuns = Math.ceil(runs / this.#lanes);
    const again = { ...(seed !== undefined && { seed }), ...(path !== undefined && { path }) };
    return fc.check(property, { numRuns, endOnFailure: !shrink, ...again });
  }

  report(): ModelTestReport {
    if (this.#undecided * 2 > this.#queues) {
      throw new Error(`${this.#undecided} of ${this.#queues} runs were too slow to be decided: give a longer tick`);
    }
    return { runs: this.#queues, commands: this.#commands, undecided: this.#undecided };
  }

  async #run(commands: readonly Command[]): Promise<void> {
    const pace = this.#pace();
    const model = new ReferenceBackend(new ReferenceStore(pace.clock));
    await model.open();
    const window = Math.min(this.#harness.capabilities.repeatWindow.ms, REPEAT_WINDOW.ms);
    const sides: Sides = {
      model,
      store: this.#connections,
      restart: () => this.#store.faults.restart?.() ?? Promise.resolve(),
      pace,
      queue: `model-${newRequestId()}`,
      repeatable: window / 2,
    };
    this.#queues++;
    this.#commands += commands.length;
    try {
      await new ModelRun(sides).run(commands);
    } catch (error) {
      if (!(error instanceof Undecided)) throw error;
      this.#undecided++;
    }
  }

  #pace(): Pace {
    const { lateness, timePrecision } = this.#harness.capabilities;
    if (!this.#realTime) return new SharedPace(this.#store, timePrecision);
    return new TickingPace(this.#store, this.#options.tick ?? Math.max(100, 5 * (lateness + timePrecision)));
  }

  /** What may happen to the store: nothing when it would hit other lanes. */
  #events(): ("reopen" | "restart")[] {
    if (this.#lanes > 1) return [];
    const restart = this.#store.faults.restart !== undefined;
    return [...(this.#outlivesClosing ? ["reopen" as const] : []), ...(restart ? ["restart" as const] : [])];
  }
}

function failure(name: string, { seed, counterexamplePath, errorInstance }: CheckResult): Error {
  const what = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  const again = `{ seed: ${seed}, path: "${counterexamplePath ?? ""}" }`;
  return new Error(`${name} and the reference store differ. To run this again, pass ${again}.\n${what}`, {
    cause: errorInstance,
  });
}
