/**
 * What happens where a server is not to be had: with `CI` set the run fails; on a person's machine the tests that need it are
 * skipped, and the last lines of the run say what was not tested and how to have it.
 */
import { isCI } from "./ci.ts";
import { everyUsing, isNamed, programOf, startFirst, type Starters, type Using } from "./find.ts";
import { javaProgramOf, prepareJava } from "./java.ts";
import { type Kind, type KindName, kinds } from "./kinds.ts";
import { Unavailable } from "./unavailable.ts";

/** What there is to know before a test file starts servers. */
export interface Availability {
  readonly available: boolean;
  /** Why not, for the report. Empty when it is available. */
  readonly reason: string;
}

/**
 * See whether servers of this kind are to be had, before tests are defined: `describe.skipIf(!redis.available)`. Installs a
 * program where it can. Throws Unavailable instead of `available: false` when `CI` is set.
 */
export async function available(name: KindName, using: Using | readonly Using[] = everyUsing): Promise<Availability> {
  const found = await look(kinds[name], typeof using === "string" ? [using] : using);
  if (!found.available && isCI()) throw new Unavailable(found.reason);
  return found;
}

/**
 * See whether the real server is to be had, for tests of what its stand-in lacks. With `CI` set too they are skipped, since a
 * stand-in may do; but where a variable names a server or an image, that one is meant: then this throws Unavailable instead.
 */
export async function genuine(name: KindName, using: readonly Using[] = everyUsing): Promise<Availability> {
  const kind = kinds[name];
  const places = using.filter((place) => place !== "stand-in");
  const found = await look(kind, places);
  if (!found.available && isCI() && places.some((place) => isNamed(kind, place))) throw new Unavailable(found.reason);
  return found;
}

async function look(kind: Kind, places: readonly Using[]): Promise<Availability> {
  try {
    await startFirst<void>(kind, places, startersOf(kind));
    return { available: true, reason: "" };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return { available: false, reason: error.message };
  }
}

/** How a person gets this server. */
export function howToGet(name: KindName): string {
  const { addressVariable, image, imageVariable, program, install } = kinds[name];
  return (
    `start Docker (it takes ${image}, or the image in ${imageVariable}), or install ${program} ` +
    `(${install}), or set ${addressVariable}`
  );
}

/** Everything short of a start. */
function startersOf(kind: Kind): Starters<void> {
  const { standIn } = kind;
  return {
    address: async () => {},
    container: async () => {
      const { engine } = await import("./engine.ts");
      const { image } = await import("./images.ts");
      await image(kind, (await engine()).client);
    },
    program: async () => {
      await (kind.files === undefined ? programOf(kind) : javaProgramOf(kind));
    },
    ...(standIn !== undefined && {
      "stand-in": async () => {
        await prepareJava(standIn);
      },
    }),
  };
}
