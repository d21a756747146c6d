/** A Redis or Valkey server started from a program of this machine. */
import { join } from "node:path";
import { type TemporaryFolder, temporaryFolder } from "./leftovers.ts";
import { onFreePort } from "./ports.ts";
import { Program } from "./program.ts";
import { defaultArguments, readyLine, type RedisFlavour, type RedisServer, versionIn } from "./redis.ts";

const HOST = "127.0.0.1";

/** What to start. */
export interface RedisProgramOptions {
  readonly flavour: RedisFlavour;
  /** The path of the server. */
  readonly command: string;
  readonly args?: readonly string[];
}

/** Start the program on a free port and a new folder. Rejects with StartError. */
export async function startRedisProgram(options: RedisProgramOptions): Promise<RedisProgram> {
  const folder = await temporaryFolder(options.flavour);
  try {
    return await onFreePort(async (port) => {
      const server = new RedisProgram(options, folder, port);
      await server.start();
      return server;
    });
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** A server that is a child of this process. */
export class RedisProgram implements RedisServer {
  readonly using = "program" as const;
  readonly host: string = HOST;
  readonly flavour: RedisFlavour;
  readonly source: string;
  readonly port: number;
  readonly socket: string;
  readonly #folder: TemporaryFolder;
  readonly #program: Program;
  #version = "unknown";

  constructor(options: RedisProgramOptions, folder: TemporaryFolder, port: number) {
    this.flavour = options.flavour;
    this.source = `program ${options.command}`;
    this.port = port;
    this.socket = join(folder.path, "socket");
    this.#folder = folder;
    const fixed = ["--port", String(port), "--bind", HOST, "--protected-mode", "yes", "--daemonize", "no"];
    const places = ["--dir", folder.path, "--unixsocket", this.socket];
    this.#program = new Program({
      command: options.command,
      args: [...defaultArguments, ...fixed, ...places, ...(options.args ?? [])],
      ready: readyLine,
    });
  }

  get version(): string {
    return this.#version;
  }

  get folder(): string {
    return this.#folder.path;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** Its process id, while it runs. */
  get pid(): number | undefined {
    return this.#program.pid;
  }

  pause(): () => void {
    return this.#program.pause();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#program.kill();
  }

  async start(): Promise<void> {
    await this.#program.start();
    this.#version = versionIn(this.#program.output);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}
