import type { Backend } from "../../src/backend.ts";
import type { NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { deliverable } from "../../src/testing/reference/order.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Stores queues under another name. */
function renames(change: (name: string) => string): (backend: Backend) => Backend {
  const to = <P extends { readonly queue: string }>(params: P): P => ({ ...params, queue: change(params.queue) });
  return (backend) =>
    override(backend, {
      put: (params) => backend.put(to(params)),
      take: (params) => backend.take(to(params)),
      settle: (params) => backend.settle(to(params)),
      read: (params) => backend.read(to(params)),
      control: (params) => backend.control(to(params)),
      stats: (queue) => backend.stats(change(queue)),
    });
}

/** Compares groups by something else than their names. */
function groupsBy(change: (group: string) => string): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override deliverable(): Entry[] {
        const entries = [...this.jobs.values()];
        const found = deliverable(entries.map((entry) => ({ ...entry, group: entry.group && change(entry.group) })));
        return found.map(({ id }) => this.jobs.get(id)).filter((entry) => entry !== undefined);
      }
    },
  );
}

/** Stores keys in another form. */
function keysAs(change: (key: string) => string): (backend: Backend) => Backend {
  const changed = (job: NewJob): NewJob => ({ ...job, key: job.key === null ? null : change(job.key) });
  return (backend) =>
    override(backend, { put: (params) => backend.put({ ...params, jobs: params.jobs.map(changed) }) });
}

/** As a file system would see the path. */
const asPath = (name: string): string => new URL(`file:///${encodeURIComponent(name).replaceAll("%2F", "/")}`).pathname;

const NORMALISED: readonly (readonly [string, (name: string) => string])[] = [
  ["in lower case", (name) => name.toLowerCase()],
  ["in normal form C", (name) => name.normalize("NFC")],
  ["without what follows a NUL", (name) => name.split("\0")[0] ?? ""],
  ["without spaces at the ends", (name) => name.trim()],
  ["cut at 254 bytes", (name) => Buffer.from(name).subarray(0, 254).toString()],
];

export const names: readonly Mutant[] = [
  ...NORMALISED.slice(0, 4).map(([how, change]) => ({
    rule: "names.queues-are-apart",
    bug: `stores queues ${how}`,
    wrap: renames(change),
  })),
  { rule: "names.queues-are-apart", bug: "stores queues under a path", wrap: renames(asPath) },
  {
    rule: "names.queues-are-apart",
    bug: "takes braces off",
    wrap: renames((name) => name.replaceAll(/[{}]/g, "")),
  },
  {
    rule: "names.queues-are-apart",
    bug: "replaces what it does not know by underscores",
    wrap: renames((name) => name.replaceAll(/[^a-zA-Z0-9]/g, "_")),
  },
  {
    rule: "names.longest",
    bug: "cuts names at 254 bytes",
    wrap: renames((name) => Buffer.from(name).subarray(0, 254).toString()),
  },
  {
    rule: "names.listed-as-given",
    bug: "lists encoded names",
    wrap: (backend) =>
      override(backend, { queues: async () => (await backend.queues()).map((name) => encodeURIComponent(name)) }),
  },
  {
    rule: "names.operators-stay-inside",
    bug: "truncates every queue whose name begins alike",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          if (params.type !== "truncate") return backend.control(params);
          let count = 0;
          for (const queue of await backend.queues()) {
            const alike = queue.startsWith(params.queue);
            if (alike) count += (await backend.control({ ...params, queue })).count;
          }
          return { count, outcomes: [] };
        },
      }),
  },
  ...NORMALISED.map(([how, change]) => ({
    rule: "names.groups-are-apart",
    bug: `compares groups ${how}`,
    queue: groupsBy(change),
  })),
  {
    rule: "names.groups-are-apart",
    bug: "gives groups back in normal form C",
    queue: made(
      class extends ReferenceQueue {
        protected override deliver(entry: Entry, now: number, lease: number): void {
          super.deliver(entry, now, lease);
          force(entry, { group: entry.group?.normalize("NFC") ?? null });
        }
      },
    ),
  },
  ...NORMALISED.map(([how, change]) => ({
    rule: "names.keys-are-apart",
    bug: `stores keys ${how}`,
    wrap: keysAs(change),
  })),
];
