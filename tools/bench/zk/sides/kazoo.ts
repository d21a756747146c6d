/** kazoo's LockingQueue, in Python. Its acks are confirmed when `consume` returns true. */
import type { Payload } from "../../queues/payload.ts";
import type { Side, Target, Work, WorkOptions } from "../../queues/side.ts";
import { KazooProgram, running } from "../kazoo-program.ts";
import { installPython, pythonFolder } from "../python.ts";
import { readdirSync } from "node:fs";

/** kazoo, which is installed at the first use. */
export async function side(): Promise<Side> {
  installPython();
  return {
    title: `kazoo ${versionOf("kazoo")} LockingQueue`,
    setup:
      "in Python, driven by lines of JSON; one client a process; put by as many threads as are in flight, put_all for many, as many LockingQueues in threads of their own as the concurrency",
    missing: {
      priority: "the program that drives it puts without",
      delay: "it has no delay",
      retry: "it counts no attempts",
    },
    producer: async (target) => {
      const program = await open(target);
      return {
        put: ({ payload }) => program.ask({ do: "put", jobs: [JSON.stringify(payload)] }),
        putMany: (tasks) => program.ask({ do: "put_all", jobs: tasks.map(({ payload }) => JSON.stringify(payload)) }),
        size: async () => Number(await program.ask({ do: "size" })),
        close: () => program.close(),
      };
    },
    worker: (target, options) => work(target, options, 1),
    crowd: work,
    stored,
    processes: () => [...running],
  };
}

/** By the folder that pip made. */
function versionOf(name: string): string {
  const about = new RegExp(`^${name}-(.*)\\.dist-info$`);
  return readdirSync(pythonFolder).flatMap((file) => about.exec(file)?.[1] ?? [])[0] ?? "";
}

function open({ url, queue }: Target, listener?: ConstructorParameters<typeof KazooProgram>[1]): Promise<KazooProgram> {
  return KazooProgram.open(url, `/kazoo/${queue}`, listener);
}

async function work(target: Target, options: WorkOptions, workers: number): Promise<Work> {
  const { concurrency, handler, acked } = options;
  const program = await open(target, { job: (text) => handler(JSON.parse(text) as Payload), acked });
  return {
    start: () => void program.ask({ do: "work", consumers: workers * concurrency }).catch(console.error),
    close: () => program.close(),
  };
}

async function* stored(target: Target): AsyncIterable<Payload> {
  const program = await open(target);
  try {
    for (const text of (await program.ask({ do: "read" })) as readonly string[]) yield JSON.parse(text) as Payload;
  } finally {
    await program.close();
  }
}
