/** Files of Maven Central, checked by their digest. */
import { createHash, randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { messageOf, Unavailable } from "./unavailable.ts";

const CENTRAL = "https://repo1.maven.org/maven2";
/** Holds the address of a mirror to use instead. */
const VARIABLE = "PQ_MAVEN_URL";
const TIME_LIMIT_MS = 60_000;

/** A file of Maven Central. */
export interface Jar {
  /** Its place there. */
  readonly path: string;
  /** Its name. */
  readonly file: string;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** A jar of this group there, whose name has dots for the slashes. */
export function jar(group: string, artifact: string, version: string, sha256: string): Jar {
  const file = `${artifact}-${version}.jar`;
  return { path: `${group}/${artifact}/${version}/${file}`, file, sha256 };
}

/** A server that jars of Maven Central are all of. */
export interface JarServer {
  readonly name: string;
  readonly version: string;
  /** All that it needs: nothing else is looked up. */
  readonly jars: readonly Jar[];
}

/**
 * Have the file at this place: as it is there, or else downloaded. Other processes may do the same at the same time.
 * Rejects with Unavailable when it cannot be downloaded, and with an Error when what came is something else.
 */
export async function download(jar: Jar, to: string): Promise<void> {
  const present = await readFile(to).catch(() => undefined);
  if (present !== undefined && digestOf(present) === jar.sha256) return;
  const url = `${process.env[VARIABLE] ?? CENTRAL}/${jar.path}`;
  const bytes = await get(url);
  const digest = digestOf(bytes);
  if (digest !== jar.sha256) throw new Error(`${url} is not what it was: its SHA-256 is ${digest}, not ${jar.sha256}.`);
  const part = `${to}.${randomUUID()}`;
  await writeFile(part, bytes);
  await rename(part, to);
}

async function get(url: string): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIME_LIMIT_MS) });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const { cause } = error as Error;
    const why = cause === undefined ? messageOf(error) : `${messageOf(error)}, ${messageOf(cause)}`;
    throw new Unavailable(`${url} cannot be downloaded (${why}); a mirror can be named in ${VARIABLE}`);
  }
}

function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
