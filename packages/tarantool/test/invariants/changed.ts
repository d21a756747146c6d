/** The scripts with changes: smaller limits, so that what takes many steps is seen, and bugs, so that it is seen who finds them. */
import { readFileSync } from "node:fs";
import { SCRIPTS, source } from "../../src/scripts.ts";
import type { Site } from "../support.ts";

/** A text of the scripts, and what stands there instead. It must be there, once. */
export type Change = readonly [string, string];

/** How many answers a queue keeps, and for how many ms, with the small limits. */
const SMALL = { calls: 30, ms: 400 };

/** So that each of them is reached all the time. */
export const SMALL_LIMITS: readonly Change[] = [
  ["local KEPT_MS, KEPT_CALLS = 60000, 10000", `local KEPT_MS, KEPT_CALLS = ${SMALL.ms}, ${SMALL.calls}`],
  ["local MOST = 1000", "local MOST = 3"],
  ["local STEP = 1000", "local STEP = 2"],
  // Of a sweep.
  ["local STEP = 500\n-- Between", "local STEP = 5\n-- Between"],
  // Of the leases of who is gone.
  ["-- Leases that one transaction ends.\nlocal STEP = 500", "local STEP = 2"],
  ["local MOST_BYTES = 4 * 1024 * 1024", "local MOST_BYTES = 300 * 1024"],
  ["local MOST_BYTES = 8 * 1024 * 1024", "local MOST_BYTES = 300 * 1024"],
];

/** Put the changed scripts where those of this prefix were, or will be. */
export async function installChanged(site: Site, prefix: string, changes: readonly Change[]): Promise<void> {
  const backend = await site.backend({ prefix });
  await backend.close();
  await site.server.admin(`
    ${replacing(prefix, changes)}
    _G.__pq['${prefix}'] = nil
    box.func.${prefix}:call({'load'})`);
}

/** Lua that stores the changed scripts. */
export function replacing(prefix: string, changes: readonly Change[]): string {
  return `box.space.${prefix}_code:replace({'scripts', ${SCRIPTS}, ${long(changes.reduce(changed, source()))}})`;
}

/** What is wrong with what is stored; nothing, if all is well. `settled`: no end before this time may be left. */
export async function broken(site: Site, prefix: string, settled = 0): Promise<string> {
  const check = readFileSync(new URL("check.lua", import.meta.url), "utf8");
  return site.server.admin(`return assert(loadstring(${long(check)}, '=check'))('${prefix}', ${settled})`);
}

/** The same for the small limits. */
export async function brokenSmall(site: Site, prefix: string, settled = 0): Promise<string> {
  await site.server.admin(`KEPT_CALLS, KEPT_MS = ${SMALL.calls + 2}, ${SMALL.ms}`);
  return broken(site, prefix, settled);
}

/** Text in Lua. */
function long(text: string): string {
  return `[=====[\n${text}]=====]`;
}

function changed(text: string, [from, to]: Change): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${parts.length - 1} times in the scripts: ${from}`);
  return parts.join(to);
}
