import { PqError } from "../../src/errors.ts";
import type { Backend, PutParams } from "../../src/backend.ts";
import { newJobId, newRequestId } from "../../src/id.ts";
import type { RequestId } from "../../src/job.ts";
import { override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Puts all that comes, in whatever order it comes. */
function ignoresOrder(backend: Backend): Backend {
  return override(backend, { put: (params) => backend.put({ ...params, after: null }) });
}

function refusal(): PqError {
  return new PqError("UNAVAILABLE", "the put before this one has not come");
}

export const chained: readonly Mutant[] = [
  {
    rule: "chained.waits-for-the-one-before",
    bug: "does not look at what a put must come after",
    wrap: ignoresOrder,
  },
  {
    rule: "chained.waits-for-the-one-before",
    bug: "looks at it after it has stored the jobs",
    wrap(backend) {
      const answered = new Set<RequestId>();
      return override(backend, {
        async put(params) {
          const outcomes = await backend.put({ ...params, after: null });
          if (params.after !== null && !answered.has(params.after)) throw refusal();
          answered.add(params.request);
          return outcomes;
        },
      });
    },
  },
  {
    rule: "chained.follows-the-one-before",
    bug: "refuses all puts that must come after another",
    wrap: (backend) =>
      override(backend, {
        async put(params) {
          if (params.after !== null) throw refusal();
          return backend.put(params);
        },
      }),
  },
  {
    rule: "chained.follows-the-one-before",
    bug: "makes the jobs of such a put urgent",
    wrap: (backend) =>
      override(backend, {
        put: (params) =>
          backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, urgent: params.after !== null })) }),
      }),
  },
  {
    rule: "chained.refused-may-come-again",
    bug: "remembers that it refused the put",
    wrap(backend) {
      const refused = new Set<RequestId>();
      const put = async (params: PutParams): ReturnType<Backend["put"]> => {
        if (refused.has(params.request)) throw refusal();
        try {
          return await backend.put(params);
        } catch (error) {
          refused.add(params.request);
          throw error;
        }
      };
      return override(backend, { put: (params) => put(params) });
    },
  },
  {
    rule: "chained.refused-harms-no-other",
    bug: "loses the payloads of puts that come together with one that it refuses",
    wrap(backend) {
      let refusing = 0;
      return override(backend, {
        async put(params) {
          if (refusing > 0) {
            return backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, payload: new Uint8Array() })) });
          }
          if (params.after === null) return backend.put(params);
          refusing++;
          try {
            return await backend.put(params);
          } finally {
            refusing--;
          }
        },
      });
    },
  },
  ...(["duplicate", "full"] as const).map((status) => ({
    rule: "chained.any-answer-counts",
    bug: `does not count a put that was answered "${status}"`,
    wrap(backend: Backend) {
      const idle = new Set<RequestId>();
      return override(backend, {
        async put(params) {
          if (params.after !== null && idle.has(params.after)) throw refusal();
          const outcomes = await backend.put(params);
          if (outcomes.every((outcome) => outcome.status === status)) idle.add(params.request);
          return outcomes;
        },
      });
    },
  })),
  {
    rule: "chained.repeated-call",
    bug: "looks for the put before it, and then for its own answer",
    wrap(backend) {
      const answered = new Set<RequestId>();
      return override(backend, {
        async put(params) {
          if (params.after !== null && !answered.has(params.after)) throw refusal();
          const outcomes = await backend.put(params);
          answered.add(params.request);
          return outcomes;
        },
      });
    },
  },
  {
    rule: "chained.repeated-call",
    bug: "forgets the answers of puts that came after another",
    wrap(backend) {
      const calls = new Map<RequestId, number>();
      return override(backend, {
        async put(params) {
          const times = (calls.get(params.request) ?? 0) + 1;
          calls.set(params.request, times);
          const request = times === 1 ? params.request : (`${params.request.slice(0, -1)}${times}` as RequestId);
          return backend.put({ ...params, request });
        },
      });
    },
  },
  {
    rule: "chained.order-when-requests-are-lost",
    bug: "does not look at what a put must come after",
    wrap: ignoresOrder,
  },
  {
    rule: "chained.order-when-replies-are-lost",
    bug: "stores a repeated put as new jobs",
    wrap: (backend) =>
      override(backend, {
        put: (params) =>
          backend.put({
            ...params,
            request: newRequestId(),
            after: null,
            jobs: params.jobs.map((job) => ({ ...job, id: newJobId() })),
          }),
      }),
  },
];
