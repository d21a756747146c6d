/** A store under the test's hand: any call can be held, failed, or left without an answer. */
import type { Backend, Guarantees, OpenParams } from "../src/backend.ts";
import { PqError } from "../src/errors.ts";
import { Queue, type QueueOptions } from "../src/index.ts";
import { ManualClock, memory, ReferenceStore } from "../src/testing/index.ts";

type Method = "open" | "close" | "put" | "take" | "settle" | "touch" | "wait" | "read" | "control" | "stats" | "queues";

/** What becomes of a call. */
export type Fate =
  /** Not applied: rejects with this. */
  | { readonly type: "reject"; readonly error: unknown }
  /** Applied, and rejects with this. */
  | { readonly type: "lose"; readonly error: unknown }
  /** Not applied, never settles. */
  | { readonly type: "silence" }
  /** Applied at once, answered when the gate opens. */
  | { readonly type: "late"; readonly gate: Promise<void> }
  /** Held before it reaches the store, until the gate opens. */
  | { readonly type: "hold"; readonly gate: Promise<void> };

export const unavailable: Fate = { type: "reject", error: new PqError("UNAVAILABLE", "cut") };
export const lost: Fate = { type: "lose", error: new PqError("OUTCOME_UNKNOWN", "reply lost") };
export const silence: Fate = { type: "silence" };

/** A promise to open by hand. */
export class Gate {
  open: () => void = () => undefined;
  readonly opened: Promise<void> = new Promise((resolve) => {
    this.open = resolve;
  });
}

/** `memory()` with fates, and a record of the calls. */
export class TestBackend {
  readonly clock: ManualClock;
  readonly calls: { readonly method: Method; readonly params: unknown }[] = [];
  readonly backend: Backend;
  guarantees: Guarantees = { durability: "memory", store: "memory", warnings: [] };
  report: OpenParams["report"] = () => undefined;
  readonly #next = new Map<Method, Fate[]>();
  readonly #always = new Map<Method, Fate>();

  constructor(clock: ManualClock = new ManualClock(), store: ReferenceStore = new ReferenceStore(clock)) {
    this.clock = clock;
    const real = memory({ store });
    const wrap = (method: Method) => {
      const call = (real[method] as (params: unknown) => Promise<unknown>).bind(real);
      return (params: unknown): Promise<unknown> => this.#run(method, params, () => call(params));
    };
    this.backend = {
      name: "test",
      capabilities: real.capabilities,
      open: async (params: OpenParams) => {
        this.report = params.report;
        await wrap("open")(params);
        return this.guarantees;
      },
      ...(Object.fromEntries(
        (["close", "put", "take", "settle", "touch", "wait", "read", "control", "stats", "queues"] as const).map(
          (method) => [method, wrap(method)],
        ),
      ) as unknown as Omit<Backend, "name" | "capabilities" | "open">),
    };
  }

  /** The next calls of a method meet these fates, one after the other. */
  next(method: Method, ...fates: Fate[]): void {
    this.#next.set(method, [...(this.#next.get(method) ?? []), ...fates]);
  }

  /** All further calls of a method meet this fate; `undefined` heals it. */
  always(method: Method, fate: Fate | undefined): void {
    if (fate === undefined) this.#always.delete(method);
    else this.#always.set(method, fate);
  }

  count(method: Method): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** The parameters of all calls of a method. */
  params<P>(method: Method): P[] {
    return this.calls.filter((call) => call.method === method).map(({ params }) => params as P);
  }

  queue<T = unknown>(options: Partial<QueueOptions<T>> = {}, name = "q"): Queue<T> {
    return new Queue<T>(name, { backend: this.backend, clock: this.clock, ...options });
  }

  async #run(method: Method, params: unknown, call: () => Promise<unknown>): Promise<unknown> {
    this.calls.push({ method, params });
    const fate = this.#next.get(method)?.shift() ?? this.#always.get(method);
    switch (fate?.type) {
      case undefined:
        return call();
      case "reject":
        throw fate.error;
      case "lose":
        await call();
        throw fate.error;
      case "silence":
        return new Promise(() => undefined);
      case "late": {
        const answer = await call();
        await fate.gate;
        return answer;
      }
      case "hold":
        await fate.gate;
        return call();
    }
  }
}

/** Let everything that is ready to run, run. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a promise has come to, without waiting for it. */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  const pending = Symbol("pending");
  await turns(2);
  const result = Promise.race([promise, Promise.resolve(pending)]);
  return result.then(
    (value) => (value === pending ? "pending" : "resolved"),
    () => "rejected",
  );
}

/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { readonly code?: string };
  }
  throw new Error("it did not reject");
}

/** Collects the events of one name. */
export function collect<E>(on: (listener: (event: E) => void) => unknown): E[] {
  const events: E[] = [];
  on((event) => events.push(event));
  return events;
}
