/** The suite: every rule of `rules/`, run on a store by whatever test framework its author uses. */
import { AssertionError } from "node:assert/strict";
import type { Backend } from "../backend.ts";
import { sleep, systemClock } from "../clock.ts";
import { Queue, type QueueOptions } from "../queue.ts";
import { eventually } from "./eventually.ts";
import type { Faults, Harness, TestStore } from "./harness.ts";
import type { Rule, RuleContext } from "./rule.ts";
import { rules as allRules } from "./rules/index.ts";

/** Registers a test, with a limit in milliseconds where the framework takes one. */
type Register = (name: string, body: () => Promise<void>, timeout?: number) => unknown;

/** `describe` and `it` of vitest, node:test, jest, mocha, or anything of that form. */
export interface TestFramework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: Register & { readonly skip?: Register };
}

/** How long a rule may take. */
export interface RunOptions {
  /** The rule fails after so many milliseconds of real time. Default 30,000. */
  readonly bound?: number;
  /** How long `t.eventually` tries, in milliseconds of real time. Default 5,000. */
  readonly patience?: number;
}

const BOUND = 30_000;
const PATIENCE = 5_000;

/** Opening, the rule and closing are bounded one by one: the framework's own limit never comes first. */
const LIMIT = 4 * BOUND;

/**
 * Register one test for each rule. A rule that does not apply to the store is registered as skipped, with its reason in the title.
 *
 * @example
 * import { describe, it } from "vitest";
 * conformance(harness, { describe, it });
 */
export function conformance(harness: Harness, framework: TestFramework, rules: readonly Rule[] = allRules): void {
  const { describe, it } = framework;
  describe(`conformance of ${harness.name}`, () => {
    for (const rule of rules) {
      const title = `${rule.id}: ${rule.title}`;
      const reason = whyNotApplicable(rule, harness);
      if (reason === null) it(title, () => runRule(rule, harness), LIMIT);
      else registerSkipped(it, `${title} (not applicable: ${reason})`);
    }
  });
}

function registerSkipped(it: TestFramework["it"], title: string): void {
  const register = it.skip ?? it;
  register(title, () => Promise.resolve());
}

/** Why a rule says nothing about this store, or `null` when it applies. Only capabilities, and what the harness says is missing, are reasons. */
function whyNotApplicable({ needs }: Rule, harness: Harness): string | null {
  const { capabilities, missingFaults = {}, missingTransactions } = harness;
  if (needs?.capability !== undefined && !capabilities[needs.capability]) {
    return `capabilities.${needs.capability} is false`;
  }
  if (needs?.capability === "transactions" && missingTransactions !== undefined) {
    return `no transactions: ${missingTransactions}`;
  }
  for (const fault of needs?.faults ?? []) {
    const reason = missingFaults[fault];
    if (reason !== undefined) return `no ${fault}: ${reason}`;
  }
  return null;
}

/** Run one rule on a new store, and close everything it opened, also when it fails. Rejects with what is wrong. */
export async function runRule(rule: Rule, harness: Harness, options: RunOptions = {}): Promise<void> {
  const { bound = BOUND, patience = PATIENCE } = options;
  const context = new Context(await within(bound, harness.open(), `${harness.name} did not open`), patience);
  try {
    await within(bound, rule.run(context), `${rule.id} did not come to an end`);
  } catch (error) {
    await context.close(bound).catch(() => undefined);
    throw error;
  }
  await context.close(bound);
}

/** The outcome of `work`, or a failure after `ms` of real time. */
async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  const done = new AbortController();
  const limit = async (): Promise<never> => {
    await sleep(systemClock, ms, done.signal);
    throw new AssertionError({ message: `${message} within ${ms} ms` });
  };
  try {
    return await Promise.race([work, limit()]);
  } finally {
    done.abort();
  }
}

/** How much time passes on a manual clock for each moment that closing takes, so that closing may wait for a timer. */
const CLOSING_LOOK = 20;
const CLOSING_STEP = 100;

/** What a rule works with: remembers all that it opens, and every fault that must be undone. */
class Context implements RuleContext {
  readonly store: TestStore;
  readonly #patience: number;
  readonly #queues: { close(): Promise<unknown> }[] = [];
  readonly #backends: Backend[] = [];
  readonly #heals = new Set<() => void>();

  constructor(store: TestStore, patience: number) {
    this.#patience = patience;
    this.store = {
      clock: store.clock,
      faults: this.#rememberHeals(store.faults),
      connect: () => {
        const backend = store.connect();
        this.#backends.push(backend);
        return backend;
      },
      pass: (ms) => store.pass(ms),
      ...(store.transaction && { transaction: store.transaction }),
      close: () => store.close(),
    };
  }

  async backend(): Promise<Backend> {
    const backend = this.store.connect();
    await backend.open({ report: () => undefined });
    return backend;
  }

  queue<T = unknown>(name = "q", options: Partial<QueueOptions<T>> = {}): Queue<T> {
    const backend = options.backend ?? this.store.connect();
    const queue = new Queue<T>(name, { clock: this.store.clock, ...options, backend });
    this.#queues.push(queue);
    return queue;
  }

  pass(ms: number): Promise<void> {
    return this.store.pass(ms);
  }

  eventually<R>(check: () => R | Promise<R>): Promise<R> {
    return eventually(check, { patience: this.#patience });
  }

  /** End all faults, then close the queues, the backends and the store. */
  async close(bound: number): Promise<void> {
    for (const heal of this.#heals) heal();
    const closed = new AbortController();
    const closing = this.#closeAll().finally(() => closed.abort());
    await Promise.all([
      within(bound, closing, "closing did not come to an end").finally(() => closed.abort()),
      this.#letPass(closed.signal),
    ]);
  }

  async #letPass(until: AbortSignal): Promise<void> {
    await sleep(systemClock, CLOSING_LOOK, until);
    while (!until.aborted) {
      await this.store.pass(CLOSING_STEP);
      await sleep(systemClock, 1, until);
    }
  }

  async #closeAll(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (const opened of [...this.#queues, ...this.#backends, this.store]) {
      await opened.close().catch((error: unknown) => (failure ??= { error }));
    }
    if (failure !== undefined) throw failure.error;
  }

  #rememberHeals(faults: Faults): Faults {
    const remembered = (begin: () => () => void) => (): (() => void) => {
      const end = begin();
      const heal = (): void => {
        if (this.#heals.delete(heal)) end();
      };
      this.#heals.add(heal);
      return heal;
    };
    return {
      ...(faults.loseReply && { loseReply: () => faults.loseReply?.() }),
      ...(faults.loseRequest && { loseRequest: () => faults.loseRequest?.() }),
      ...(faults.cut && { cut: () => faults.cut?.() }),
      ...(faults.restart && { restart: async () => faults.restart?.() }),
      ...(faults.halfOpen && { halfOpen: remembered(faults.halfOpen.bind(faults)) }),
      ...(faults.pause && { pause: remembered(faults.pause.bind(faults)) }),
    };
  }
}
