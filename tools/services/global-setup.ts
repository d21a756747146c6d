/**
 * What a vitest.config.ts names as its `globalSetup`, through a file of two lines for each backend (`setup-redis.ts`). It runs
 * once, before all test files: packages are installed by one process only. At the end it says what was not tested.
 */
import { everyUsing, type Using } from "./find.ts";
import { type KindName, kinds } from "./kinds.ts";
import { available, genuine, howToGet } from "./policy.ts";
import { messageOf } from "./unavailable.ts";

/** The two functions that vitest calls. */
export interface GlobalSetup {
  readonly setup: () => Promise<void>;
  readonly teardown: () => void;
}

/** Look for these kinds of servers. With `CI` set, it is the test files that fail, so that all others still run. */
export function globalSetup(names: readonly KindName[], using: readonly Using[] = everyUsing): GlobalSetup {
  const lines: string[] = [];
  return {
    async setup() {
      for (const name of names) lines.push(...(await whatIsMissing(name, using)));
    },
    teardown() {
      for (const line of lines) console.log(line);
    },
  };
}

async function whatIsMissing(name: KindName, using: readonly Using[]): Promise<readonly string[]> {
  try {
    const found = await available(name, using);
    if (!found.available) return [notTested(name, found.reason)];
    if (kinds[name].standIn === undefined) return [];
    const real = await genuine(name, using);
    return real.available ? [] : [notTested(name, real.reason, `${name} itself, but a stand-in`)];
  } catch (error) {
    return [notTested(name, messageOf(error))];
  }
}

/** The last lines of a run without this server; `what` names it, and what there was instead. */
export function notTested(name: KindName, reason: string, what: string = name): string {
  return `NOT TESTED: ${what}. ${reason}\n  To test it: ${howToGet(name)}.`;
}
