/** Mistakes on purpose, between the library and the store: each must be seen by a check, or the checks are worth nothing. */
import {
  type Backend,
  newJobId,
  newRequestId,
  type PutParams,
  type SettleParams,
  type TakeParams,
} from "@pq/core/backend";

/** What goes wrong, in one of so many calls. */
const RATE = 40;

type Change = (backend: Backend, sometimes: () => boolean) => Partial<Backend>;

/** The name of a mistake. */
export type BugName =
  | "put that is not sent"
  | "put that is sent twice"
  | "ack that is not sent"
  | "delay that is forgotten"
  | "lease that is too short"
  | "group that is forgotten"
  | "key that is forgotten"
  | "fence that stands still";

const changes: Readonly<Record<BugName, Change>> = {
  "put that is not sent": (backend, sometimes) => ({
    put: async (params: PutParams) =>
      sometimes() ? params.jobs.map(() => ({ status: "added" }) as const) : backend.put(params),
  }),
  "put that is sent twice": (backend, sometimes) => ({
    put: async (params: PutParams) => {
      const again = params.jobs.map((job) => ({ ...job, id: newJobId(), key: null }));
      if (sometimes()) await backend.put({ ...params, request: newRequestId(), jobs: again });
      return backend.put(params);
    },
  }),
  "ack that is not sent": (backend, sometimes) => ({
    settle: async (params: SettleParams) =>
      sometimes() && params.items.every(({ type }) => type === "ack")
        ? params.items.map(() => "gone" as const)
        : backend.settle(params),
  }),
  "delay that is forgotten": (backend) => ({
    put: (params: PutParams) => backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, due: null })) }),
  }),
  "lease that is too short": (backend) => ({
    take: async (params: TakeParams) =>
      (await backend.take({ ...params, lease: 50 })).map((job) => ({ ...job, lease: params.lease })),
  }),
  "group that is forgotten": (backend) => ({
    put: (params: PutParams) => backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, group: null })) }),
  }),
  "key that is forgotten": (backend) => ({
    put: (params: PutParams) => backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, key: null })) }),
  }),
  "fence that stands still": (backend) => ({
    take: async (params: TakeParams) => (await backend.take(params)).map((job) => ({ ...job, fence: 1 })),
  }),
};

/** All of them. */
export const bugs: readonly BugName[] = Object.keys(changes) as BugName[];

/** The backend with this mistake. */
export function withBug(backend: Backend, name: BugName): Backend {
  let calls = 0;
  const changed: Partial<Backend> = changes[name](backend, () => ++calls % RATE === 0);
  return new Proxy(backend, {
    get(target, property: keyof Backend) {
      const value = changed[property] ?? target[property];
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}
