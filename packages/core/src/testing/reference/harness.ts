import type { Backend } from "../../backend.ts";
import type { Harness } from "../harness.ts";
import { ManualClock } from "../manual-clock.ts";
import { SeamFaults } from "../seam-faults.ts";
import { memoryCapabilities, ReferenceBackend } from "./backend.ts";
import type { ReferenceQueue } from "./queue.ts";
import { ReferenceStore } from "./store.ts";
import { ReferenceTransaction } from "./transaction.ts";

/** What to put in place of the real thing, to see whether the suite notices. */
export interface ReferenceHarnessOptions {
  /** Makes the queues of the store. */
  readonly queue?: () => ReferenceQueue;
  /** Around each connection. */
  readonly wrap?: (backend: Backend) => Backend;
  /** Around each connection with its faults: what the client of a store might do about them. */
  readonly client?: (backend: Backend) => Backend;
}

const same = (backend: Backend): Backend => backend;

/** The reference store on a manual clock, with faults at the seam: the harness that every rule passes. */
export function referenceHarness({ queue, wrap = same, client = same }: ReferenceHarnessOptions = {}): Harness {
  return {
    name: "reference",
    capabilities: memoryCapabilities,
    async open() {
      const clock = new ManualClock();
      const store = new ReferenceStore(clock, queue);
      // Its data outlives a restart, as though memory were a disk: what a server must keep is part of the specification.
      const faults = new SeamFaults({ restart: () => store.restart() });
      return {
        clock,
        faults,
        connect: () => client(faults.wrap(() => wrap(new ReferenceBackend(store)))),
        pass: (ms) => clock.advance(ms),
        transaction: (_backend, work) => ReferenceTransaction.run(store, work),
        close: () => Promise.resolve(),
      };
    },
  };
}
