import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Unavailable } from "../index.ts";
import { download, type Jar } from "../maven.ts";

const CONTENT = "a jar";
const jar: Jar = { path: "group/a/1/a-1.jar", file: "a-1.jar", sha256: digestOf(CONTENT) };

let mirror: Server;
let asked: (string | undefined)[];
let content: string | undefined;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pq-maven-test-"));
  asked = [];
  content = CONTENT;
  mirror = createServer((request, response) => {
    asked.push(request.url);
    response.statusCode = content === undefined ? 404 : 200;
    response.end(content);
  }).listen(0, "127.0.0.1");
  await once(mirror, "listening");
  vi.stubEnv("PQ_MAVEN_URL", `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/maven`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  mirror.close();
  await rm(folder, { recursive: true });
});

describe("a jar", () => {
  it("comes from the mirror once, and is kept", async () => {
    await fetchIt();
    await fetchIt();
    expect(asked).toEqual(["/maven/group/a/1/a-1.jar"]);
    expect(await readFile(join(folder, jar.file), "utf8")).toBe(CONTENT);
  });

  it("may be fetched by several at once", async () => {
    await Promise.all([fetchIt(), fetchIt(), fetchIt()]);
    expect(await readdir(folder)).toEqual([jar.file]);
  });

  it("that was damaged is fetched again", async () => {
    await writeFile(join(folder, jar.file), "half a j");
    await fetchIt();
    expect(await readFile(join(folder, jar.file), "utf8")).toBe(CONTENT);
  });

  it("that is something else is refused, and not kept", async () => {
    content = "another jar";
    const refusal = await fetchIt().catch((error: unknown) => error);
    expect(refusal).not.toBeInstanceOf(Unavailable);
    expect(String(refusal)).toMatch(`its SHA-256 is ${digestOf(content)}, not ${jar.sha256}`);
    expect(await readdir(folder)).toEqual([]);
  });

  it("that the mirror does not have is not to be had", async () => {
    content = undefined;
    await expect(fetchIt()).rejects.toThrow(Unavailable);
    await expect(fetchIt()).rejects.toThrow(/a-1\.jar cannot be downloaded \(404 Not Found\).*PQ_MAVEN_URL/);
  });

  it("without a network is not to be had", async () => {
    vi.stubEnv("PQ_MAVEN_URL", "http://127.0.0.1:1");
    await expect(fetchIt()).rejects.toThrow(Unavailable);
    await expect(fetchIt()).rejects.toThrow(/a-1\.jar cannot be downloaded \(fetch failed, .+\).*PQ_MAVEN_URL/);
  });
});

async function fetchIt(): Promise<void> {
  await download(jar, join(folder, jar.file));
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
