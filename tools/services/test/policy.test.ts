import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isCI } from "../ci.ts";
import { globalSetup } from "../global-setup.ts";
import { available, genuine, Unavailable } from "../index.ts";
import { findProgram } from "../program.ts";

const compiler = findProgram("javac");

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe("a server that is not to be had", () => {
  it("is skipped on a person's machine, with the reason", async () => {
    nothingHere({ ci: undefined });
    expect(await available("redis", ["address", "program"])).toEqual({
      available: false,
      reason: "No redis server: PQ_REDIS_URL is not set; there is no redis-server on the PATH.",
    });
  });

  it("fails the run with CI set", async () => {
    nothingHere({ ci: "true" });
    await expect(available("redis", ["address", "program"])).rejects.toThrow(Unavailable);
  });

  it.each([
    [undefined, false],
    ["", false],
    ["false", false],
    ["true", true],
    ["1", true],
  ])("CI=%s means %s", (value, meaning) => {
    vi.stubEnv("CI", value);
    expect(isCI()).toBe(meaning);
  });

  it.each([undefined, "true"])("is told in the last lines, with how to get it (CI=%s)", async (ci) => {
    nothingHere({ ci });
    const lines: unknown[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
    const { setup, teardown } = globalSetup(["redis", "valkey"], ["address", "program"]);
    await setup();
    expect(lines).toEqual([]);
    teardown();
    expect(lines).toEqual([
      expect.stringMatching(/^NOT TESTED: redis\. No redis server: .*\n {2}To test it: .*redis-server.*PQ_REDIS_URL/),
      expect.stringMatching(
        /^NOT TESTED: valkey\. No valkey server: .*\n {2}To test it: .*valkey-server.*PQ_VALKEY_URL/,
      ),
    ]);
  });
});

describe("the real server, where a stand-in may do", () => {
  const nowhere = "No mongo server: PQ_MONGO_URL is not set; there is no mongod on the PATH.";

  it.each([undefined, "true"])("may be missing (CI=%s)", async (ci) => {
    nothingHere({ ci });
    const found = await genuine("mongo", ["address", "program", "stand-in"]);
    expect(found).toEqual({ available: false, reason: nowhere });
  });

  it("may not with CI set when an image is named", async () => {
    nothingHere({ ci: "true" });
    vi.stubEnv("PQ_MONGO_IMAGE", "mongo:8");
    vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:1");
    await expect(genuine("mongo")).rejects.toThrow(Unavailable);
  });

  it.skipIf(compiler === undefined)("is told of in the last lines when only its stand-in was there", async () => {
    nothingHere({ ci: "true" });
    vi.stubEnv("JAVA_HOME", dirname(dirname(realpathSync(compiler!))));
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const { setup, teardown } = globalSetup(["mongo"], ["address", "program", "stand-in"]);
    await setup();
    teardown();
    expect(log.mock.calls).toEqual([
      [expect.stringContaining(`NOT TESTED: mongo itself, but a stand-in. ${nowhere}\n`)],
    ]);
  });
});

describe("a server that is there", () => {
  it("is available, and nothing is told", async () => {
    vi.stubEnv("PQ_REDIS_URL", "redis://127.0.0.1:1");
    expect(await available("redis", "address")).toEqual({ available: true, reason: "" });
    const log = vi.spyOn(console, "log");
    const { setup, teardown } = globalSetup(["redis"], ["address"]);
    await setup();
    teardown();
    expect(log).not.toHaveBeenCalled();
  });
});

/** A machine without servers, and without root to install them. */
function nothingHere({ ci }: { ci: string | undefined }): void {
  vi.stubEnv("CI", ci);
  vi.stubEnv("PQ_REDIS_URL", undefined);
  vi.stubEnv("PQ_VALKEY_URL", undefined);
  vi.stubEnv("PQ_MONGO_URL", undefined);
  vi.stubEnv("PQ_MONGO_IMAGE", undefined);
  vi.stubEnv("PATH", "");
  vi.spyOn(process, "getuid").mockReturnValue(1000);
}
