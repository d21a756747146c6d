import type { Durability, Guarantees } from "./backend.ts";
import { PqError } from "./errors.ts";

/** From weak to strong. */
export const DURABILITIES: readonly Durability[] = ["memory", "process", "disk", "majority"];

/** Throws `WEAK_SETTINGS`, naming what was found and the settings that cause it, when it is less than what the queue requires. */
export function checkDurability(
  queue: string,
  requires: Durability,
  { durability, store, warnings }: Guarantees,
): void {
  if (DURABILITIES.indexOf(durability) >= DURABILITIES.indexOf(requires)) return;
  const why = warnings.length === 0 ? "" : `: ${warnings.join(" ")}`;
  throw new PqError(
    "WEAK_SETTINGS",
    `queue "${queue}" requires durability "${requires}", ${store} gives "${durability}"${why}`,
  );
}
