/**
 * What a vitest.config.ts names as its `globalSetup`, through a file of two lines for each backend (`setup-redis.ts`). It runs
 * once, before all test files: packages are installed by one process only. At the end it says what was not tested.
 */
import { everyUsing, type Using } from "./find.ts";
import type { KindName } from "./kinds.ts";
import { available, howToGet } from "./policy.ts";
import { messageOf } from "./unavailable.ts";

/** The two functions that vitest calls. */
export interface GlobalSetup {
  readonly setup: () => Promise<void>;
  readonly teardown: () => void;
}

/** Look for these kinds of servers. With `CI` set, it is the test files that fail, so that all others still run. */
export function globalSetup(names: readonly KindName[], using: readonly Using[] = everyUsing): GlobalSetup {
  const missing = new Map<KindName, string>();
  return {
    async setup() {
      for (const name of names) {
        try {
          const { available: isThere, reason } = await available(name, using);
          if (!isThere) missing.set(name, reason);
        } catch (error) {
          missing.set(name, messageOf(error));
        }
      }
    },
    teardown() {
      for (const [name, reason] of missing) console.log(notTested(name, reason));
    },
  };
}

/** The last lines of a run without this server. */
export function notTested(name: KindName, reason: string): string {
  return `NOT TESTED: ${name}. ${reason}\n  To test it: ${howToGet(name)}.`;
}
