/** Where a server of some kind is to be had. */
import { existsSync } from "node:fs";
import { canInstall, install } from "./debian.ts";
import { machineHasEngine } from "./engine.ts";
import type { Kind } from "./kinds.ts";
import { findProgram } from "./program.ts";
import { messageOf, Unavailable } from "./unavailable.ts";

/** One place to have a server from. */
export type Using = "address" | "container" | "program" | "stand-in";

/** The order in which they are tried. */
export const everyUsing: readonly Using[] = ["address", "container", "program", "stand-in"];

/** How to have a server from each place that can have one. */
export type Starters<T> = { readonly [Place in Using]?: () => Promise<T> };

/**
 * Start a server from the first of these places that has one. Rejects with Unavailable, which says why for each of them.
 * An engine of our own is started only when nothing but a container will do.
 */
export async function startFirst<T>(kind: Kind, places: readonly Using[], starters: Starters<T>): Promise<T> {
  const reasons: string[] = [];
  for (const using of places) {
    const start = starters[using];
    const reason = await whyNot(kind, using, places);
    if (start === undefined || reason !== undefined) {
      reasons.push(reason ?? `nothing is its ${using}`);
      continue;
    }
    try {
      return await start();
    } catch (error) {
      // Somebody who names a server means that one. And a server that is there and does not start is a fault to be seen.
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(messageOf(error));
    }
  }
  throw new Unavailable(`No ${kind.name} server: ${reasons.join("; ")}.`);
}

/** True when a variable says which server of this place to use. */
export function isNamed(kind: Kind, using: Using): boolean {
  const variables: { readonly [Place in Using]?: string } = {
    address: kind.addressVariable,
    container: kind.imageVariable,
  };
  const variable = variables[using];
  return variable !== undefined && process.env[variable] !== undefined;
}

async function whyNot(kind: Kind, using: Using, places: readonly Using[]): Promise<string | undefined> {
  switch (using) {
    case "address":
      return isNamed(kind, using) ? undefined : `${kind.addressVariable} is not set`;
    case "container":
      return places.length === 1 || (await machineHasEngine()) ? undefined : "no Docker engine answers";
    case "program":
      return undefined;
    case "stand-in":
      return places.length > 1 && isNamed(kind, "container") ? `${kind.imageVariable} asks for a real one` : undefined;
  }
}

/** What has to be on this machine for a program to run. */
type ProgramNeeds = Pick<Kind, "program" | "files" | "debianPackages">;

/** The path of a program, which root on Debian installs when it is missing and packages have it. Rejects with Unavailable. */
export async function programOf(needs: ProgramNeeds): Promise<string> {
  const present = findProgram(needs.program);
  const missing = whatIsMissing(needs);
  if (present !== undefined && missing === undefined) return present;
  const { debianPackages } = needs;
  if (debianPackages === undefined || !canInstall()) throw new Unavailable(`there is no ${missing}`);
  try {
    await install(...debianPackages);
  } catch (error) {
    throw new Unavailable(messageOf(error));
  }
  const installed = findProgram(needs.program);
  const lacks = whatIsMissing(needs);
  if (installed === undefined || lacks !== undefined) {
    throw new Unavailable(`Debian's ${debianPackages.join(", ")} has no ${lacks}`);
  }
  return installed;
}

function whatIsMissing({ program, files = [] }: ProgramNeeds): string | undefined {
  return findProgram(program) === undefined ? `${program} on the PATH` : files.find((file) => !existsSync(file));
}
