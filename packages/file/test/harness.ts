/** The file store for the suite: a folder of its own, a manual clock, faults at the seam, and a restart that drops everything unwritten. */
import type { Backend } from "@pq/core/backend";
import { type Harness, ManualClock, SeamFaults } from "@pq/core/testing";
import { FileBackend } from "../src/backend.ts";
import { fileCapabilities } from "../src/capabilities.ts";
import { type FileOptions, resolveOptions } from "../src/options.ts";
import { folder } from "./support.ts";

/** A harness for stores with these options. */
export function fileHarness(name: string, options: Omit<FileOptions, "path" | "clock"> = {}): Harness {
  return {
    name,
    capabilities: fileCapabilities,
    async open() {
      const clock = new ManualClock();
      const tmp = await folder();
      const store = new FileBackend(resolveOptions({ ...options, path: tmp.path, clock }));
      const faults = new SeamFaults({ restart: () => store.crash() });
      const backend: Backend = faults.wrap(store);
      return {
        clock,
        faults,
        connect: () => backend,
        pass: (ms) => clock.advance(ms),
        async close() {
          await store.close();
          await tmp[Symbol.asyncDispose]();
        },
      };
    },
  };
}
