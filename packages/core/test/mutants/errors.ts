import type { Backend, ControlResult } from "../../src/backend.ts";
import { PqError } from "../../src/errors.ts";
import { override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Gives other outcomes to operators. */
function answers(change: (outcome: ControlResult["outcomes"][number]) => ControlResult["outcomes"][number]) {
  return (backend: Backend): Backend =>
    override(backend, {
      async control(params) {
        const { count, outcomes } = await backend.control(params);
        return { count, outcomes: outcomes.map(change) };
      },
    });
}

/** Puts what it was given into its messages. */
async function talks<T>(call: Promise<T>, params: unknown): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const told = JSON.stringify(params, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString() : value,
    );
    throw error instanceof PqError ? new PqError(error.code, `${error.message}: ${told}`) : error;
  }
}

/** Says of every failure of this method that nothing was applied. */
function denies(method: "put" | "take" | "settle" | "touch" | "control"): (backend: Backend) => Backend {
  return (backend) =>
    override(backend, {
      [method]: async (params: never) => {
        try {
          return await backend[method](params);
        } catch (error) {
          throw new PqError("UNAVAILABLE", "the connection is gone", { cause: error });
        }
      },
    });
}

export const errors: readonly Mutant[] = [
  ...(["put", "take", "settle", "touch", "control"] as const).map((method) => ({
    rule: "errors.lost-reply-is-unknown",
    bug: `says of a ${method} whose reply was lost that it was not applied`,
    client: denies(method),
  })),
  {
    rule: "errors.lease-lost",
    bug: "says gone for the ack of a job that is gone",
    wrap: (backend) =>
      override(backend, {
        async settle(params) {
          const outcomes = await backend.settle(params);
          const acked = (index: number): boolean => params.items[index]?.type === "ack";
          return outcomes.map((outcome, index) => (outcome === "lost" && acked(index) ? "gone" : outcome));
        },
      }),
  },
  {
    rule: "errors.lease-lost",
    bug: "says that it extended any lease",
    wrap: (backend) => override(backend, { touch: async (params) => (await backend.touch(params)).map(() => true) }),
  },
  {
    rule: "errors.not-found",
    bug: "says that a job that is not there is not buried",
    wrap: answers((outcome) => (outcome === "not-found" ? "invalid-state" : outcome)),
  },
  {
    rule: "errors.not-found",
    bug: "says that it deleted a job that is not there",
    wrap: answers((outcome) => (outcome === "not-found" ? "done" : outcome)),
  },
  {
    rule: "errors.invalid-state",
    bug: "says that a job that is not buried is not there",
    wrap: answers((outcome) => (outcome === "invalid-state" ? "not-found" : outcome)),
  },
  {
    rule: "errors.invalid-state",
    bug: "does not show buried jobs by id",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          const page = await backend.read(params);
          return "ids" in params ? { ...page, jobs: page.jobs.filter(({ state }) => state !== "buried") } : page;
        },
      }),
  },
  {
    rule: "errors.limits",
    bug: "states no largest payload",
    wrap: (backend) =>
      override(backend, { capabilities: Object.freeze({ ...backend.capabilities, maxPayload: Infinity }) }),
  },
  {
    rule: "errors.limits",
    bug: "has capabilities that can be changed",
    wrap: (backend) => override(backend, { capabilities: { ...backend.capabilities } }),
  },
  {
    rule: "errors.give-nothing-away",
    bug: "tells the parameters of a call that failed",
    wrap: (backend) => override(backend, { put: (params) => talks(backend.put(params), params) }),
  },
  {
    rule: "errors.give-nothing-away",
    bug: "tells the result of an ack that failed",
    wrap: (backend) => override(backend, { settle: (params) => talks(backend.settle(params), params) }),
  },
];
