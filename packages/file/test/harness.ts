/** The file store for the suite: a folder of its own, a manual clock, faults at the seam, and a restart that drops everything unwritten. */
import type { Backend } from "@pq/core/backend";
import { type Harness, ManualClock, SeamFaults } from "@pq/core/testing";
import { FileBackend } from "../src/backend.ts";
import { fileCapabilities } from "../src/capabilities.ts";
import { type FileOptions, resolveOptions } from "../src/options.ts";
import { folder } from "./support.ts";

/** Time passes in steps of this many milliseconds, or 400 steps when that is longer. */
const STEP = 25;
const MOST_STEPS = 400;

/** A harness for stores with these options. */
export function fileHarness(name: string, options: Omit<FileOptions, "path" | "clock"> = {}): Harness {
  return {
    name,
    capabilities: fileCapabilities,
    async open() {
      const clock = new ManualClock();
      const tmp = await folder();
      const store = new FileBackend(resolveOptions({ ...options, path: tmp.path, clock }));
      const calls = new Calls();
      const faults = new SeamFaults({ restart: () => store.crash() });
      const backend: Backend = faults.wrap(calls.count(store));
      return {
        clock,
        faults,
        connect: () => backend,
        async pass(ms) {
          const step = Math.max(STEP, ms / MOST_STEPS);
          for (let left = ms; left > 0; left -= step) {
            await calls.quiet();
            await clock.advance(Math.min(step, left));
          }
          await calls.quiet();
        },
        async close() {
          await store.close();
          await tmp[Symbol.asyncDispose]();
        },
      };
    },
  };
}

/** The calls that the store is working on. The disk takes real time, of which a manual clock knows nothing: it stands still until they are through. */
class Calls {
  readonly #running = new Set<Promise<unknown>>();

  /** The same store, its calls counted; but for `wait`, which does wait for the clock. */
  count(store: FileBackend): Backend {
    const counted = <P extends unknown[], R>(call: (...params: P) => Promise<R>) => {
      return (...params: P): Promise<R> => this.#note(call(...params));
    };
    return {
      name: store.name,
      capabilities: store.capabilities,
      open: counted((...params) => store.open(...params)),
      close: counted((...params) => store.close(...params)),
      put: counted((...params) => store.put(...params)),
      take: counted((...params) => store.take(...params)),
      settle: counted((...params) => store.settle(...params)),
      touch: counted((...params) => store.touch(...params)),
      read: counted((...params) => store.read(...params)),
      control: counted((...params) => store.control(...params)),
      stats: counted((...params) => store.stats(...params)),
      queues: counted((...params) => store.queues(...params)),
      wait: (params) => store.wait(params),
    };
  }

  async quiet(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #note<R>(call: Promise<R>): Promise<R> {
    const end = (): void => {
      this.#running.delete(call);
    };
    this.#running.add(call);
    call.then(end, end);
    return call;
  }
}
