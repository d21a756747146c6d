/**
 * Servers that are Java programs: jars of this machine or of Maven Central, and for some a main class of ours
 * (`java/*.java`), compiled here. What was downloaded or compiled stays in a cache folder (`$XDG_CACHE_HOME/pq-services`, or
 * `~/.cache/pq-services`) for the next run.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { programOf } from "./find.ts";
import type { Kind } from "./kinds.ts";
import { download, type JarServer } from "./maven.ts";
import { findProgram, isProgram } from "./program.ts";
import { messageOf, Unavailable } from "./unavailable.ts";

/** The least that these servers and our main classes need. */
const RELEASE = 17;
const JDK = "openjdk-17-jdk-headless";

/** A server to prepare. */
export interface JavaServer extends JarServer {
  /** The class to run; its source is `java/<main>.java`. */
  readonly main: string;
}

/** What to run: `command -cp classPath main`. */
export interface Java {
  readonly command: string;
  readonly classPath: string;
}

const prepared = new Map<string, Promise<Java>>();

/** Have the JDK, the jars and the compiled class. Rejects with Unavailable when they are not to be had. Does it once for each. */
export async function prepareJava(server: JavaServer): Promise<Java> {
  const folder = folderOf(server);
  const known = prepared.get(folder) ?? prepare(server, folder);
  prepared.set(folder, known);
  return known;
}

async function prepare(server: JavaServer, folder: string): Promise<Java> {
  const compiler = await javac();
  const source = createRequire(import.meta.url).resolve(`#java/${server.main}.java`);
  const classes = join(folder, `classes-${await digestOf(source)}`);
  const isCompiled = existsSync(classes);
  if (!isCompiled) await checkRelease(compiler);
  const jars = await classPathOf(server, folder);
  if (!isCompiled) await compile(compiler, source, jars, classes);
  return { command: join(dirname(compiler), "java"), classPath: [jars, classes].join(delimiter) };
}

/** Have a server of the jars that are on this machine, or else of those in Maven Central. Rejects with Unavailable. */
export async function javaProgramOf({ jars, ...kind }: Kind): Promise<Java> {
  try {
    return { command: await programOf(kind), classPath: (kind.files ?? []).join(delimiter) };
  } catch (error) {
    if (!(error instanceof Unavailable) || jars === undefined) throw error;
    const command = await javaThatRuns();
    if (command === undefined) throw error;
    return { command, classPath: await classPathOf(jars, folderOf(jars)) };
  }
}

async function javaThatRuns(): Promise<string | undefined> {
  const home = join(process.env["JAVA_HOME"] ?? "/nowhere", "bin/java");
  const command = isProgram(home) ? home : findProgram("java");
  if (command === undefined) return undefined;
  // macOS has one that only says that there is none.
  return run(command, "-version").then(
    () => command,
    () => undefined,
  );
}

/** Download the jars to this folder, unless they are there. */
async function classPathOf({ jars }: JarServer, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await Promise.all(jars.map(async (jar) => download(jar, join(folder, jar.file))));
  return jars.map((jar) => join(folder, jar.file)).join(delimiter);
}

/** The path of a compiler: of JAVA_HOME, the PATH, or Debian. Rejects with Unavailable. */
async function javac(): Promise<string> {
  const home = join(process.env["JAVA_HOME"] ?? "/nowhere", "bin/javac");
  return isProgram(home) ? home : programOf({ program: "javac", debianPackages: [JDK] });
}

async function checkRelease(compiler: string): Promise<void> {
  // macOS has one that only says that there is none.
  const version = await run(compiler, "-version").catch(messageOf);
  if (Number(/^javac (\d+)/m.exec(version)?.[1] ?? 0) >= RELEASE) return;
  throw new Unavailable(`Java ${RELEASE} or newer is needed, and ${compiler} says: ${version.trim()}`);
}

/** Compile into this folder. Other processes may do the same at the same time. */
async function compile(compiler: string, source: string, jars: string, classes: string): Promise<void> {
  const fresh = await mkdtemp(`${classes}-`);
  try {
    await run(compiler, "--release", String(RELEASE), "-cp", jars, "-d", fresh, source);
    await rename(fresh, classes);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(classes)) throw error; // else another process was first
  }
}

/** Run a command to its end; resolves with all that it printed. Rejects when it fails. */
async function run(command: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}.\n${output.trim()}`);
  return output;
}

/** Enough digits to tell one version of a source from another. */
async function digestOf(source: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(source))
    .digest("hex")
    .slice(0, 16);
}

/** Where its files are kept. */
function folderOf({ name, version }: JarServer): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "pq-services", `${name}-${version}`);
}
