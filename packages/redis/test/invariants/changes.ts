/** The backend with changed texts of its scripts: with small limits, or with a bug in it. Everything else is as it is, also the server. */
import type { Backend } from "@pq/core/backend";
import { vi } from "vitest";
import type { RedisOptions } from "../../src/index.ts";
import type * as ScriptModule from "../../src/scripts/script.ts";

/** A text that some script has, and what stands there instead. */
export type Change = readonly [text: string | RegExp, instead: string];

/** What `redis` of `src/index.ts` is. */
export type MakeBackend = (options: RedisOptions) => Backend;

/**
 * Limits so small that what happens rarely happens all the time: more falls due than one call works off, a kick takes several steps,
 * a take passes over as many removed jobs as it may, and generations of answers end.
 */
export const SMALL_LIMITS: readonly Change[] = [
  [/\bSTEPS = \d+/g, "STEPS = 2"],
  [/\bKICKS = \d+/g, "KICKS = 2"],
  [/\bMOST_PASSED = \{\}, \{\}, \d+/g, "MOST_PASSED = {}, {}, 3"],
  [/\bGENERATION, WINDOW = \d+, \d+/g, "GENERATION, WINDOW = 7, 300"],
];

/** A new copy of the backend, whose scripts have these changes. Throws when a text is in no script. */
export async function changedBackend(changes: readonly Change[]): Promise<MakeBackend> {
  const missing = new Set(changes);
  const change = (source: string): string => {
    let changed = source;
    for (const one of changes) {
      const before = changed;
      changed = before.replaceAll(one[0], () => one[1]);
      if (changed !== before) missing.delete(one);
    }
    return changed;
  };
  vi.resetModules();
  vi.doMock("../../src/scripts/script.ts", async (original) => {
    const module = await original<typeof ScriptModule>();
    const script: typeof module.script = (parts) => {
      const { name, source, readOnly } = module.script(parts);
      return module.fromText(name, change(source), readOnly);
    };
    return { ...module, script };
  });
  try {
    const { redis } = await import("../../src/index.ts");
    if (missing.size > 0) throw new Error(`in no script: ${[...missing].map(([text]) => String(text)).join(" / ")}`);
    return redis;
  } finally {
    vi.doUnmock("../../src/scripts/script.ts");
    vi.resetModules();
  }
}
