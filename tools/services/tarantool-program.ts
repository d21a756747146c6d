/** A Tarantool server started from a program of this machine. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { programOf } from "./find.ts";
import { kinds } from "./kinds.ts";
import { type TemporaryFolder, temporaryFolder } from "./leftovers.ts";
import { onFreePort } from "./ports.ts";
import { Program } from "./program.ts";
import { PASSWORD, type TarantoolServer, type TarantoolSettings, urlOf, USER } from "./tarantool.ts";
import { adminSocket, initText, readyLine } from "./tarantool-lua.ts";
import { runLua, versionOf } from "./tarantool-wire.ts";

const HOST = "127.0.0.1";

/**
 * Start a server on a free port and a new folder; the settings are asked for at each start. Rejects with Unavailable when there
 * is no program, and with StartError.
 */
export async function startTarantoolProgram(settings: () => TarantoolSettings): Promise<TarantoolProgram> {
  const command = await programOf(kinds.tarantool);
  return inFolder(async (folder) =>
    onFreePort(async (port) => {
      const server = new TarantoolProgram({ command, settings }, folder, port);
      await server.start();
      return server;
    }),
  );
}

async function inFolder<T>(action: (folder: TemporaryFolder) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder("tarantool");
  try {
    return await action(folder);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** What to start. */
interface TarantoolProgramOptions {
  /** The path of the server. */
  readonly command: string;
  /** Asked for at each start. */
  readonly settings: () => TarantoolSettings;
}

/** A server that is a child of this process: by itself, or a member of a replica set. */
export class TarantoolProgram implements TarantoolServer {
  readonly using = "program" as const;
  readonly host: string = HOST;
  readonly user: string = USER;
  readonly password: string = PASSWORD;
  readonly source: string;
  readonly port: number;
  readonly #folder: TemporaryFolder;
  readonly #program: Program;
  readonly #settings: () => TarantoolSettings;
  #version = "unknown";
  #isPaused = false;

  constructor({ command, settings }: TarantoolProgramOptions, folder: TemporaryFolder, port: number) {
    this.source = `program ${command}`;
    this.port = port;
    this.#folder = folder;
    this.#settings = settings;
    this.#program = new Program({ command, args: [this.#file], ready: readyLine, cwd: folder.path });
  }

  get version(): string {
    return this.#version;
  }

  get folder(): string {
    return this.#folder.path;
  }

  get url(): string {
    return urlOf(this);
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  /** It has been started, and is not paused. Of its process that is so a moment later only. */
  get runs(): boolean {
    return this.pid !== undefined && !this.#isPaused;
  }

  async admin(lua: string): Promise<string> {
    return runLua(adminSocket(this.#data), lua);
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

  async start(): Promise<void> {
    const place = { bind: HOST, port: this.port, folder: this.#data };
    await writeFile(this.#file, initText(place, this.#settings()));
    await this.#program.start();
    this.#version = await versionOf(this);
  }

  async close(): Promise<void> {
    await this.kill();
    await this.#folder.remove();
  }

  get #file(): string {
    return join(this.folder, "init.lua");
  }

  get #data(): string {
    return join(this.folder, "data");
  }
}
