import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { available, startMongo, Unavailable } from "../index.ts";
import { prepareJava } from "../java.ts";
import { mongoJavaServer } from "../mongo-jars.ts";
import { onFreePort } from "../ports.ts";
import { Program, StartError } from "../program.ts";

const LONG = 60_000;
const { available: hasJava } = await available("mongo", "stand-in");

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pq-java-test-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe("a machine", () => {
  it("without Java says so", async () => {
    nothingHere();
    await expect(startMongo({ using: "stand-in" })).rejects.toThrow(Unavailable);
    const reason = "No mongo server: there is no javac on the PATH.";
    expect(await available("mongo", "stand-in")).toEqual({ available: false, reason });
  });

  it.each(["javac 11.0.25", "javac 1.8.0_432", "Unable to locate a Java Runtime"])(
    "with %s is told what it needs",
    async (says) => {
      nothingHere();
      const compiler = await compilerThat(says);
      const reason = `No mongo server: Java 17 or newer is needed, and ${compiler} says: ${says}.`;
      expect(await available("mongo", "stand-in")).toEqual({ available: false, reason });
    },
  );
});

describe.skipIf(!hasJava)("a main class", () => {
  it("may be compiled by several at once", { timeout: LONG }, async () => {
    const cache = join(folder, "pq-services", `${mongoJavaServer.name}-${mongoJavaServer.version}`);
    await copyJars(cache);
    // Two names of one folder, so that neither knows of the other.
    await symlink(folder, join(folder, "same"));
    const prepare = async (home: string): Promise<unknown> => {
      vi.stubEnv("XDG_CACHE_HOME", home);
      return prepareJava(mongoJavaServer);
    };
    await Promise.all([prepare(folder), prepare(join(folder, "same"))]);
    const others = (await readdir(cache)).filter((name) => !name.endsWith(".jar"));
    expect(others).toEqual([expect.stringMatching(/^classes-[0-9a-f]{16}$/)]);
    expect(await readdir(join(cache, others[0]!))).toContain("MongoStandIn.class");
  });

  it("that cannot be compiled says why, and leaves nothing", { timeout: LONG }, async () => {
    vi.stubEnv("XDG_CACHE_HOME", folder);
    const server = { ...mongoJavaServer, name: "without-jars", jars: [] };
    await expect(prepareJava(server)).rejects.toThrow(/MongoStandIn\.java.*error: package .* does not exist/s);
    expect(await readdir(join(folder, "pq-services", `without-jars-${server.version}`))).toEqual([]);
  });
});

describe.skipIf(!hasJava)("the stand-in", () => {
  it("ends when its port is taken, and says why", { timeout: LONG }, async () => {
    const { command, classPath } = await prepareJava(mongoJavaServer);
    const standIn = (port: number): Program =>
      new Program({ command, args: ["-cp", classPath, mongoJavaServer.main, String(port)], ready: /^ready$/m });
    const [first, port] = await onFreePort(async (free) => {
      const program = standIn(free);
      await program.start();
      return [program, free] as const;
    });
    const second = standIn(port);
    const error = await second.start().catch((reason: unknown) => reason);
    await first.kill();
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).toMatch(/ended with 1[^]*address already in use/i);
  });
});

async function copyJars(to: string): Promise<void> {
  const { classPath } = await prepareJava(mongoJavaServer);
  await mkdir(to, { recursive: true });
  const jars = classPath.split(delimiter).filter((path) => path.endsWith(".jar"));
  await Promise.all(jars.map(async (jar) => copyFile(jar, join(to, basename(jar)))));
}

/** A machine without Java, and without root to install it. */
function nothingHere(): void {
  vi.stubEnv("CI", undefined);
  vi.stubEnv("PATH", "");
  vi.stubEnv("JAVA_HOME", undefined);
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.spyOn(process, "getuid").mockReturnValue(1000);
}

/** A JDK whose compiler says this of itself. */
async function compilerThat(says: string): Promise<string> {
  const compiler = join(folder, "bin/javac");
  await mkdir(join(folder, "bin"));
  await writeFile(compiler, `#!/bin/sh\necho '${says}'\n`);
  await chmod(compiler, 0o755);
  vi.stubEnv("JAVA_HOME", folder);
  return compiler;
}
