import type { Backend } from "../../src/backend.ts";
import { PqError } from "../../src/errors.ts";
import { newRequestId } from "../../src/id.ts";
import { override, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Gives every lease back. */
async function releaseAll(backend: Backend): Promise<void> {
  for (const queue of await backend.queues()) {
    const { jobs } = await backend.read({ queue, state: "leased", limit: 100, cursor: null });
    const items = jobs.map(({ id, fence }) => ({ id, fence, type: "release", delay: 0 }) as const);
    if (items.length > 0) await backend.settle({ request: newRequestId(), queue, items });
  }
}

/** Does something before an open that is not the first. */
function whenOpenedAgain(act: (backend: Backend) => Promise<unknown>): (backend: Backend) => Backend {
  return (backend) => {
    let opened = 0;
    return override(backend, {
      async open(params) {
        const guarantees = await backend.open(params);
        if (opened++ > 0) await act(backend);
        return guarantees;
      },
    });
  };
}

const closed = (): PqError => new PqError("CLOSED", "closed");

export const lifecycle: readonly Mutant[] = [
  {
    rule: "lifecycle.open-tells-guarantees",
    bug: "knows nothing at the second open",
    wrap(backend) {
      let opened = 0;
      return override(backend, {
        async open(params) {
          const guarantees = await backend.open(params);
          return opened++ === 0 ? guarantees : { ...guarantees, store: "" };
        },
      });
    },
  },
  {
    rule: "lifecycle.second-open-changes-nothing",
    bug: "gives all leases back when it is opened again",
    wrap: whenOpenedAgain(releaseAll),
  },
  {
    rule: "lifecycle.second-open-changes-nothing",
    bug: "does not wake those who waited before it was opened again",
    wrap(backend) {
      let opened = 0;
      return override(backend, {
        open: (params) => (opened++, backend.open(params)),
        async wait(params) {
          const before = opened;
          await backend.wait(params);
          if (opened !== before) await backend.wait({ ...params, queue: "nobody puts here" });
        },
      });
    },
  },
  {
    rule: "lifecycle.close-twice",
    bug: "rejects a second close",
    wrap(backend) {
      let open = false;
      return override(backend, {
        open: (params) => ((open = true), backend.open(params)),
        async close() {
          if (!open) throw closed();
          open = false;
          await backend.close();
        },
      });
    },
  },
  ...(["put", "take", "read", "stats", "queues"] as const).map((call) => ({
    rule: "lifecycle.closed-refuses",
    bug: `answers ${call} after close as though nothing was there`,
    wrap: (backend: Backend): Backend =>
      override(backend, {
        ...(call === "put" && { put: (params) => backend.put(params).catch(() => [{ status: "full" }]) }),
        ...(call === "take" && { take: (params) => backend.take(params).catch(() => []) }),
        ...(call === "read" && { read: (params) => backend.read(params).catch(() => ({ jobs: [], cursor: null })) }),
        ...(call === "stats" && { stats: () => backend.stats("q").catch(() => ({}) as never) }),
        ...(call === "queues" && { queues: () => backend.queues().catch(() => []) }),
      }),
  })),
  {
    rule: "lifecycle.closed-refuses",
    bug: "settles with UNAVAILABLE after close",
    wrap: (backend) =>
      override(backend, {
        settle: (params) =>
          backend.settle(params).catch(() => Promise.reject(new PqError("UNAVAILABLE", "no connection"))),
      }),
  },
  {
    rule: "lifecycle.close-ends-waiting",
    bug: "rejects a wait when it is closed",
    wrap(backend) {
      let open = true;
      return override(backend, {
        close: () => ((open = false), backend.close()),
        async wait(params) {
          await backend.wait(params);
          if (!open) throw closed();
        },
      });
    },
  },
  {
    rule: "lifecycle.close-ends-waiting",
    bug: "leaves a wait hanging when it is closed",
    wrap(backend) {
      let open = true;
      return override(backend, {
        close: () => ((open = false), backend.close()),
        async wait(params) {
          await backend.wait(params);
          if (!open) await new Promise(() => undefined);
        },
      });
    },
  },
  {
    rule: "lifecycle.close-ends-waiting",
    bug: "forgets those who wait when it is opened a second time",
    wrap(backend) {
      let opened = 0;
      return override(backend, {
        open: (params) => (opened++, backend.open(params)),
        async wait(params) {
          const before = opened;
          await backend.wait(params);
          if (before !== opened) await new Promise(() => undefined);
        },
      });
    },
  },
  {
    rule: "lifecycle.close-settles-calls",
    bug: "drops a put that it has answered when it is closed",
    wrap(backend) {
      let open = true;
      return override(backend, {
        open: (params) => ((open = true), backend.open(params)),
        close: () => ((open = false), backend.close()),
        async put(params) {
          await turn();
          return open ? backend.put(params) : params.jobs.map(() => ({ status: "added" }));
        },
      });
    },
  },
  {
    rule: "lifecycle.close-settles-calls",
    bug: "never answers a take that is under way when it is closed",
    wrap(backend) {
      let open = true;
      return override(backend, {
        open: (params) => ((open = true), backend.open(params)),
        close: () => ((open = false), backend.close()),
        async take(params) {
          await turn();
          return open ? backend.take(params) : new Promise(() => undefined);
        },
      });
    },
  },
  {
    rule: "lifecycle.reopen",
    bug: "opens only once",
    wrap: whenOpenedAgain(() => Promise.reject(closed())),
  },
  { rule: "lifecycle.reopen", bug: "gives leases back when it is opened again", wrap: whenOpenedAgain(releaseAll) },
  {
    rule: "lifecycle.reopen",
    bug: "resumes all queues when it is opened",
    wrap: whenOpenedAgain((backend) => backend.control({ request: newRequestId(), queue: "paused", type: "resume" })),
  },
  {
    rule: "lifecycle.waits-after-reopen",
    bug: "takes every wait for one that was closed, once it was closed",
    wrap(backend) {
      let closedOnce = false;
      return override(backend, {
        close: () => ((closedOnce = true), backend.close()),
        wait: (params) => (closedOnce ? Promise.resolve() : backend.wait(params)),
      });
    },
  },
  {
    rule: "lifecycle.leases-outlive-connections",
    bug: "gives leases back when the connection closes",
    wrap: (backend) =>
      override(backend, {
        async close() {
          await releaseAll(backend).catch(() => undefined);
          await backend.close();
        },
      }),
  },
  {
    rule: "lifecycle.leases-outlive-connections",
    bug: "settles only what this connection took",
    wrap(backend) {
      const own = new Set<string>();
      return override(backend, {
        async take(params) {
          const taken = await backend.take(params);
          for (const { id } of taken) own.add(id);
          return taken;
        },
        touch: async (params) =>
          (await backend.touch(params)).map((held, index) => held && own.has(params.items[index]!.id)),
      });
    },
  },
  {
    rule: "lifecycle.others-stay-open",
    bug: "closes what all connections share",
    wrap: (() => {
      const all = new Set<Backend>();
      return (backend: Backend): Backend => {
        all.add(backend);
        return override(backend, { close: async () => void (await Promise.all([...all].map((one) => one.close()))) });
      };
    })(),
  },
];
