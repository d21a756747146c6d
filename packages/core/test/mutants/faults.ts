import type { Backend } from "../../src/backend.ts";
import { isPqError, PqError } from "../../src/errors.ts";
import { newJobId, newRequestId } from "../../src/id.ts";
import { forgetful, override, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Recognises neither the call nor the ids of a repeated put. */
function putsAnew(backend: Backend): Backend {
  return override(backend, {
    async put(params) {
      const jobs = params.jobs.map((job) => ({ ...job, id: newJobId() }));
      return backend.put({ ...params, request: newRequestId(), jobs });
    },
  });
}

/** Takes no answer for an answer. */
async function orElse<T>(call: Promise<T>, answer: T): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (isPqError(error, "UNAVAILABLE")) return answer;
    throw error;
  }
}

/** After one call has failed, every other fails. */
function breaksForGood(backend: Backend): Backend {
  let broken = false;
  const call = async <T>(act: () => Promise<T>): Promise<T> => {
    if (broken) throw new PqError("UNAVAILABLE", "the connection is gone");
    try {
      return await act();
    } catch (error) {
      broken = true;
      throw error;
    }
  };
  return override(backend, {
    put: (params) => call(() => backend.put(params)),
    take: (params) => call(() => backend.take(params)),
    settle: (params) => call(() => backend.settle(params)),
    wait: (params) => call(() => backend.wait(params)),
  });
}

/** A wait whose connection is cut never comes back. */
function waitsForEver(backend: Backend): Backend {
  return override(backend, {
    wait: (params) => backend.wait(params).catch(() => new Promise<void>(() => undefined)),
  });
}

const nothing = { jobs: [], cursor: null };

export const faults: readonly Mutant[] = [
  { rule: "faults.lost-reply-of-put", bug: "stores a repeated put as a new job", wrap: putsAnew },
  { rule: "faults.lost-reply-of-put-many", bug: "stores repeated puts as new jobs", wrap: putsAnew },
  { rule: "faults.lost-reply-of-take", bug: "gives other jobs to a repeated take", wrap: forgetful("take") },
  ...["ack", "release", "requeue", "fail", "bury"].map((operation) => ({
    rule: `faults.lost-reply-of-${operation}`,
    bug: `takes a repeated ${operation} for a stale one`,
    wrap: forgetful("settle"),
  })),
  { rule: "faults.lost-reply-of-touch", bug: "touches again when it is repeated", wrap: forgetful("touch") },
  { rule: "faults.lost-reply-of-kick", bug: "kicks more when it is repeated", wrap: forgetful("control") },
  {
    rule: "faults.lost-reply-of-dig",
    bug: "does not find the job of a repeated dig buried",
    wrap: forgetful("control"),
  },
  {
    rule: "faults.lost-reply-of-delete",
    bug: "does not find the job of a repeated delete",
    wrap: forgetful("control"),
  },
  {
    rule: "faults.lost-reply-of-truncate",
    bug: "removes nothing when it is repeated, and says so",
    wrap: forgetful("control"),
  },
  {
    rule: "faults.lost-reply-of-pause",
    bug: "goes from paused to resumed and back with every call",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          if (params.type !== "pause") return backend.control(params);
          const { paused } = await backend.stats(params.queue);
          return backend.control({ ...params, request: newRequestId(), type: paused ? "resume" : "pause" });
        },
      }),
  },
  {
    rule: "faults.lost-reply-of-reads",
    bug: "takes a failed read for an empty answer",
    client: (backend) => override(backend, { read: (params) => orElse(backend.read(params), nothing) }),
  },
  {
    rule: "faults.lost-request",
    bug: "takes a put that was not sent for done",
    client: (backend) =>
      override(backend, {
        put: (params) =>
          orElse(
            backend.put(params),
            params.jobs.map(() => ({ status: "added" }) as const),
          ),
      }),
  },
  {
    rule: "faults.lost-request",
    bug: "takes a take that was not sent for an empty queue",
    client: (backend) => override(backend, { take: (params) => orElse(backend.take(params), []) }),
  },
  {
    rule: "faults.lost-request",
    bug: "takes a settlement that was not sent for done",
    client: (backend) =>
      override(backend, {
        settle: (params) =>
          orElse(
            backend.settle(params),
            params.items.map(() => "gone" as const),
          ),
      }),
  },
  { rule: "faults.cut-while-waiting", bug: "does not end a wait whose connection is cut", client: waitsForEver },
  { rule: "faults.half-open", bug: "never connects again", client: breaksForGood },
  {
    rule: "faults.half-open",
    bug: "reports a call without an answer as the end of everything",
    client: (backend) =>
      override(backend, {
        async settle(params) {
          const settling = backend.settle(params);
          settling.catch(() => undefined);
          const none = turn().then(() => Promise.reject(new PqError("CLOSED", "no answer")));
          return Promise.race([settling, none]);
        },
      }),
  },
  {
    rule: "faults.paused-server",
    bug: "gives up at once when the server does not answer",
    client: (backend) =>
      override(backend, {
        async put(params) {
          const putting = backend.put(params);
          putting.catch(() => undefined);
          const none = turn().then(() => Promise.reject(new PqError("CLOSED", "no answer")));
          return Promise.race([putting, none]);
        },
      }),
  },
  { rule: "faults.worker-goes-on", bug: "does not end a wait whose connection is cut", client: waitsForEver },
  { rule: "faults.worker-goes-on", bug: "never connects again", client: breaksForGood },
];
