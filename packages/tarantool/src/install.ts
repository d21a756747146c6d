/** Sees to it that the server has the scripts. */
import { isPqError, PqError, sleep, systemClock } from "@pq/core/backend";
import { CODE } from "./errors.ts";
import type { Connection } from "./iproto/connection.ts";
import { ServerError } from "./iproto/errors.ts";
import type { ResolvedOptions } from "./options.ts";
import { FORMAT, installer, SCRIPTS, source } from "./scripts.ts";

/** Others may install at the same moment: then one of them meets what the other has begun. */
const TRIES = 5;
const PAUSE = 50;

/** What is needed to install. */
type InstallOptions = Pick<ResolvedOptions, "prefix" | "installScripts" | "durability" | "commandTimeout">;

/** Versions that a server has: of the scripts, and of what is stored. */
interface Versions {
  readonly scripts: number;
  readonly format: number;
}

/** Have the scripts there, at least of this version. Rejects with `UNSUPPORTED` and `INCOMPATIBLE_VERSION`. */
export async function ensureScripts(connection: Connection, options: InstallOptions): Promise<void> {
  const there = await load(connection, options);
  const isNew = there === undefined || there.scripts < SCRIPTS;
  if (there !== undefined) checkFormat(there.format);
  if (!isNew) {
    if (options.durability === "majority" && options.installScripts) await makeSynchronous(connection, options);
    return;
  }
  await install(connection, options);
  const now = await load(connection, options);
  if (now === undefined || now.scripts < SCRIPTS) throw missing(options.prefix, "the server did not keep its scripts");
}

/** See that the spaces are synchronous. Who may not alter them is warned by the guarantees, if they are not. */
async function makeSynchronous(connection: Connection, options: InstallOptions): Promise<void> {
  try {
    await install(connection, options);
  } catch (error) {
    if (!isPqError(error, "UNSUPPORTED")) throw error;
  }
}

async function install(connection: Connection, options: InstallOptions): Promise<void> {
  const { prefix, installScripts, durability, commandTimeout } = options;
  if (!installScripts) throw missing(prefix, "the server has no scripts, or older ones, and installScripts is false");
  const synchronous = durability === "majority" ? true : null;
  for (let tries = 1; ; tries++) {
    try {
      const args = [prefix, FORMAT, SCRIPTS, source(), synchronous];
      const [format] = await connection.evaluate(installer(), args, commandTimeout);
      checkFormat(Number(format));
      return;
    } catch (error) {
      if (!(error instanceof ServerError) || error.code === CODE.readOnly) throw error;
      if (error.code === CODE.accessDenied) throw missing(prefix, `the user may not install them (${error.message})`);
      if (tries === TRIES) throw error;
      await sleep(systemClock, PAUSE * tries);
    }
  }
}

/** `undefined`: there are none that this user may call. */
async function load(connection: Connection, options: InstallOptions): Promise<Versions | undefined> {
  try {
    const [scripts, format] = await connection.call(options.prefix, ["load"], options.commandTimeout);
    return typeof scripts === "number" && typeof format === "number" ? { scripts, format } : undefined;
  } catch (error) {
    // Without a function of this name, a global variable of Lua that has it is called.
    const codes: readonly number[] = [CODE.noSuchProc, CODE.noSuchFunction, CODE.accessDenied, CODE.procLua];
    if (error instanceof ServerError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

function checkFormat(format: number): void {
  if (format <= FORMAT) return;
  throw new PqError(
    "INCOMPATIBLE_VERSION",
    `the stored format is ${format}, and this version of @pq/tarantool knows ${FORMAT}: upgrade the package`,
  );
}

function missing(prefix: string, why: string): PqError {
  const remedy = `let an admin run there what "npx pq-tarantool --prefix ${prefix} --user <user>" prints`;
  return new PqError("UNSUPPORTED", `${why}: ${remedy}`);
}
