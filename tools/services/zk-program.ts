/** A ZooKeeper server started from the jars of this machine. */
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type Java, javaProgramOf } from "./java.ts";
import { type ZkState, stateOf } from "./four-letter.ts";
import { type Kind, kinds } from "./kinds.ts";
import { type TemporaryFolder, temporaryFolder } from "./leftovers.ts";
import { onFreePort } from "./ports.ts";
import { Program } from "./program.ts";
import { until } from "./wait.ts";
import { configurationOf, javaArguments, MAIN, readyLine, type ZkServer, type ZkSettings } from "./zk.ts";

const HOST = "127.0.0.1";

/** Start a server on a free port and a new folder. Rejects with Unavailable when there is no program, and with StartError. */
export async function startZkProgram(settings: ZkSettings, kind: Kind = kinds.zk): Promise<ZkProgram> {
  const java = await javaProgramOf(kind);
  return inFolder(async (folder) =>
    onFreePort(async (port) => {
      const server = new ZkProgram({ java, settings }, folder, port);
      await server.start();
      return server;
    }),
  );
}

/** Do this with a new folder, which is removed when it fails. */
export async function inFolder<T>(action: (folder: TemporaryFolder) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder("zk");
  try {
    return await action(folder);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** What to start. */
export interface ZkProgramOptions {
  readonly java: Java;
  readonly settings: ZkSettings;
  /** It is this member of an ensemble, whose servers the settings name. */
  readonly id?: number;
}

/** A server that is a child of this process: by itself, or a member of an ensemble. */
export class ZkProgram implements ZkServer {
  readonly using = "program" as const;
  readonly host: string = HOST;
  readonly source: string;
  readonly port: number;
  readonly #folder: TemporaryFolder;
  readonly #program: Program;
  readonly #settings: ZkSettings;
  readonly #id: number | undefined;
  #version = "unknown";
  #isPaused = false;

  constructor({ java, settings, id }: ZkProgramOptions, folder: TemporaryFolder, port: number) {
    this.source = `program ${java.command} with ${java.classPath.split(delimiter)[0]}`;
    this.port = port;
    this.#folder = folder;
    this.#settings = settings;
    this.#id = id;
    this.#program = new Program({
      command: java.command,
      args: [...javaArguments(settings), "-cp", java.classPath, MAIN, this.#file],
      ready: readyLine,
      cwd: folder.path,
    });
  }

  get version(): string {
    return this.#version;
  }

  get folder(): string {
    return this.#folder.path;
  }

  get hosts(): string {
    return `${this.host}:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  /** It has been started, and is not paused. Of its process that is so a moment later only. */
  get runs(): boolean {
    return this.pid !== undefined && !this.#isPaused;
  }

  pause(): () => void {
    this.#program.pause();
    this.#isPaused = true;
    return () => this.resume();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.pid !== undefined) process.kill(this.pid, "SIGCONT");
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async kill(): Promise<void> {
    await this.#program.kill();
    this.#isPaused = false;
  }

  async stop(): Promise<void> {
    await this.kill();
  }

  /** Start it; resolves when it answers. A member of an ensemble then looks for a leader. */
  async start(): Promise<void> {
    await this.#writeFiles();
    await this.#program.start();
    if (this.#id === undefined) await this.#serves();
    // Its answer does not tell the version while it has no leader.
    this.#version = /zookeeper\.version=([\d.]+)/.exec(this.#program.output)?.[1] ?? this.#version;
  }

  /** What it says of itself. Rejects when it does not answer. */
  async state(): Promise<ZkState> {
    return stateOf(this);
  }

  async close(): Promise<void> {
    await this.kill();
    await this.#folder.remove();
  }

  get #file(): string {
    return join(this.folder, "zoo.cfg");
  }

  async #serves(): Promise<void> {
    try {
      await until(`${this.hosts} answers`, async () => (await this.state()).mode !== undefined);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  async #writeFiles(): Promise<void> {
    const data = join(this.folder, "data");
    await mkdir(data, { recursive: true });
    await writeFile(this.#file, configurationOf({ bind: HOST, port: this.port, folder: data }, this.#settings));
    if (this.#id !== undefined) await writeFile(join(data, "myid"), String(this.#id));
  }
}
