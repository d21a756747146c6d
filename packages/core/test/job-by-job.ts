/**
 * The reference store as the contract allows it to be at its weakest: only a put is one step. All else is worked off job by job, with other
 * calls between, and a take that begins while others change or take jobs comes back with fewer than there are, or with none.
 */
import type { Backend, ControlParams, ControlResult, TakeParams } from "../src/backend.ts";
import { newRequestId } from "../src/id.ts";
import type { DeliveredJob, LeaseProof, RequestId } from "../src/job.ts";
import { override, turn } from "./mutants/helpers.ts";

/** What happens between two steps of a call. May throw, as though the call were broken off there. */
export type Between = (request: RequestId) => Promise<void>;

/** Connections to one store. */
export class JobByJob {
  readonly #between: Between;
  /** What each take has leased so far. */
  readonly #taken = new Map<RequestId, DeliveredJob[]>();
  /** How many calls that change or take jobs are under way, by queue. */
  readonly #underWay = new Map<string, number>();

  constructor(between: Between = turn) {
    this.#between = between;
  }

  connect(backend: Backend): Backend {
    return override(backend, {
      settle: (params) =>
        this.#eachProof(
          params,
          async (request, item) => (await backend.settle({ ...params, request, items: [item] }))[0]!,
        ),
      touch: (params) =>
        this.#eachProof(
          params,
          async (request, item) => (await backend.touch({ ...params, request, items: [item] }))[0]!,
        ),
      take: (params) => this.#alongside(params.queue, (others) => this.#take(backend, params, others)),
      control: (params) => this.#alongside(params.queue, () => this.#control(backend, params)),
    });
  }

  /** Run a call, which is told how many others of its queue are under way. */
  async #alongside<T>(queue: string, call: (others: number) => Promise<T>): Promise<T> {
    const others = this.#underWay.get(queue) ?? 0;
    this.#underWay.set(queue, others + 1);
    try {
      return await call(others);
    } finally {
      this.#underWay.set(queue, (this.#underWay.get(queue) ?? 0) - 1);
    }
  }

  /** Settle or touch each by a call of its own. */
  #eachProof<Item extends LeaseProof, Answer>(
    { queue, request, items }: { readonly queue: string; readonly request: RequestId; readonly items: readonly Item[] },
    step: (request: RequestId, item: Item) => Promise<Answer>,
  ): Promise<Answer[]> {
    return this.#alongside(queue, () => this.#each(request, items, (item) => step(part(request, item.id), item)));
  }

  async #each<Item, Answer>(
    request: RequestId,
    items: readonly Item[],
    step: (item: Item) => Promise<Answer>,
  ): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const item of items) {
      if (answers.length > 0) await this.#between(request);
      answers.push(await step(item));
    }
    return answers;
  }

  async #take(backend: Backend, params: TakeParams, others: number): Promise<readonly DeliveredJob[]> {
    const { request, queue, limit } = params;
    const had = this.#taken.get(request) ?? [];
    const { jobs } = await backend.read({ queue, ids: had.map(({ id }) => id) });
    const held = had.filter(({ id, fence }) =>
      jobs.some((job) => job.id === id && job.fence === fence && job.state === "leased"),
    );
    if (held.length > 0) return held;
    const given: DeliveredJob[] = [];
    this.#taken.set(request, given);
    const most = others === 0 ? limit : Math.floor(limit / 2);
    while (given.length < most) {
      if (given.length > 0) await this.#between(request);
      const [job] = await backend.take({ ...params, request: newRequestId(), limit: 1 });
      if (job === undefined) break;
      given.push(job);
    }
    return given;
  }

  async #control(backend: Backend, params: ControlParams): Promise<ControlResult> {
    const { request } = params;
    switch (params.type) {
      case "dig":
      case "delete": {
        const results = await this.#each(request, [...params.ids.entries()], ([index, id]) =>
          backend.control({ ...params, request: part(request, `${index}`), ids: [id] }),
        );
        return { count: sum(results), outcomes: results.flatMap(({ outcomes }) => outcomes) };
      }
      case "kick": {
        let count = 0;
        for (; count < params.limit; count++) {
          if (count > 0) await this.#between(request);
          const one = await backend.control({ ...params, request: part(request, `${count}`), limit: 1 });
          if (one.count === 0) break;
        }
        return { count, outcomes: [] };
      }
      default:
        return backend.control(params);
    }
  }
}

/** The request under which a part of a call is remembered. */
function part(request: RequestId, name: string): RequestId {
  return `${request} ${name}` as RequestId;
}

function sum(results: readonly ControlResult[]): number {
  return results.reduce((total, { count }) => total + count, 0);
}
