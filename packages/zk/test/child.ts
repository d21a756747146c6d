/** Runs `child/main.ts` as a process of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually } from "@pq/core/testing";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

let program: string | undefined;

/** A process. */
export class Child {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  /** Its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  /** What it wrote on its error output, without what the native client logs there of its own accord. */
  get errors(): string {
    return this.#errors.replaceAll(/^.*:ZOO_(?:ERROR|WARN)@.*\n/gm, "");
  }
  #errors = "";

  /** Start it: what to do, on which servers, in which root, with sessions of so many ms. */
  constructor(command: "work" | "hold", hosts: string, root: string, session = 4000) {
    program ??= compile();
    this.process = spawn(process.execPath, [program, command, hosts, root, String(session)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    createInterface({ input: this.process.stdout! }).on("line", (line) => this.lines.push(line));
    this.process.stderr!.on("data", (text: Buffer) => (this.#errors += text.toString()));
    this.ended = new Promise((resolve) => {
      this.process.once("close", (code, signal) => resolve(code ?? signal));
    });
  }

  tell(line: string): void {
    this.process.stdin!.write(`${line}\n`);
  }

  /** The rest of the first line that begins so. */
  async said(start: string, patience = 30_000): Promise<string> {
    return eventually(
      async () => {
        const line = this.lines.find((one) => one.startsWith(start));
        if (line === undefined) throw new Error(`not said: ${start}; last: ${this.lines.at(-1)} ${this.errors}`);
        return line.slice(start.length).trim();
      },
      { patience },
    );
  }

  /** How many lines begin so. */
  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }
}

/** Compile the child and all that it needs to plain JavaScript; it is removed when this process ends. */
function compile(): string {
  const out = fs.mkdtempSync(join(tmpdir(), "pq-zk-child-"));
  process.once("exit", () => fs.rmSync(out, { recursive: true, force: true }));
  const config = {
    extends: join(PACKAGES, "..", "tsconfig.base.json"),
    compilerOptions: {
      outDir: out,
      rootDir: PACKAGES,
      noCheck: true,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      typeRoots: [join(PACKAGES, "zk/node_modules/@types")],
      composite: false,
      isolatedDeclarations: false,
    },
    // Named as roots, since what is reached through node_modules is not emitted.
    include: ["zk/test/child", "zk/src", "core/src"].map((part) => join(PACKAGES, part)),
  };
  fs.writeFileSync(join(out, "tsconfig.json"), JSON.stringify(config));
  fs.writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  execFileSync(join(PACKAGES, "zk/node_modules/.bin/tsc"), ["-p", join(out, "tsconfig.json")], { stdio: "inherit" });
  const exported = { ".": "./src/index.js", "./backend": "./src/backend-api.js", "./state": "./src/state/index.js" };
  fs.writeFileSync(
    join(out, "core/package.json"),
    JSON.stringify({ name: "@pq/core", type: "module", exports: exported }),
  );
  fs.mkdirSync(join(out, "node_modules/@pq"), { recursive: true });
  fs.symlinkSync(join(out, "core"), join(out, "node_modules/@pq/core"));
  fs.symlinkSync(fs.realpathSync(join(PACKAGES, "zk/node_modules/zookeeper")), join(out, "node_modules/zookeeper"));
  return join(out, "zk/test/child/main.js");
}
