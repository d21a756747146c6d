/** Where a server of some kind is to be had. */
import { canInstall, install } from "./debian.ts";
import { machineHasEngine } from "./engine.ts";
import type { Kind } from "./kinds.ts";
import { findProgram } from "./program.ts";
import { messageOf, Unavailable } from "./unavailable.ts";

/** One place to have a server from. */
export type Using = "address" | "container" | "program";

/** The order in which they are tried. */
export const everyUsing: readonly Using[] = ["address", "container", "program"];

/** How to have a server from each place. */
export type Starters<T> = Readonly<Record<Using, () => Promise<T>>>;

/**
 * Start a server from the first of these places that has one. Rejects with Unavailable, which says why for each of them.
 * An engine of our own is started only when nothing but a container will do.
 */
export async function startFirst<T>(kind: Kind, places: readonly Using[], starters: Starters<T>): Promise<T> {
  const reasons: string[] = [];
  for (const using of places) {
    const reason = await whyNot(kind, using, places);
    if (reason !== undefined) {
      reasons.push(reason);
      continue;
    }
    try {
      return await starters[using]();
    } catch (error) {
      // Somebody who names a server means that one. And a server that is there and does not start is a fault to be seen.
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(messageOf(error));
    }
  }
  throw new Unavailable(`No ${kind.name} server: ${reasons.join("; ")}.`);
}

async function whyNot(kind: Kind, using: Using, places: readonly Using[]): Promise<string | undefined> {
  switch (using) {
    case "address":
      return process.env[kind.addressVariable] === undefined ? `${kind.addressVariable} is not set` : undefined;
    case "container":
      return places.length === 1 || (await machineHasEngine()) ? undefined : "no Docker engine answers";
    case "program":
      return undefined;
  }
}

/** The path of the kind's program, which root on Debian installs when it is missing. Rejects with Unavailable. */
export async function programOf(kind: Kind): Promise<string> {
  const present = findProgram(kind.program);
  if (present !== undefined) return present;
  if (!canInstall()) throw new Unavailable(`there is no ${kind.program} on the PATH`);
  try {
    await install(kind.debianPackage);
  } catch (error) {
    throw new Unavailable(messageOf(error));
  }
  const installed = findProgram(kind.program);
  if (installed === undefined) throw new Unavailable(`Debian's ${kind.debianPackage} has no ${kind.program}`);
  return installed;
}
