/** A stand-in for MongoDB: a Java program of this machine. */
import { join } from "node:path";
import { type Java, prepareJava } from "./java.ts";
import { type TemporaryFolder, temporaryFolder } from "./leftovers.ts";
import type { MongoOptions, MongoServer } from "./mongo.ts";
import { mongoJavaServer } from "./mongo-jars.ts";
import { onFreePort } from "./ports.ts";
import { Program } from "./program.ts";

const HEAP_MIB = 512;
/** A start costs 0.28 s of a processor instead of 0.43 s. But in the long run the other compiler scans twice as fast. */
const QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/** Start one on a free port and a new folder. Rejects with Unavailable when there is no Java, or no jars. */
export async function startMongoStandIn(options: MongoOptions = {}): Promise<MongoServer> {
  const java = await prepareJava(mongoJavaServer);
  const folder = await temporaryFolder("mongo");
  try {
    return await onFreePort(async (port) => {
      const server = new MongoStandIn(java, options, folder, port);
      await server.start();
      return server;
    });
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

class MongoStandIn implements MongoServer {
  readonly using = "stand-in" as const;
  readonly genuine = false;
  readonly replicaSet = false;
  readonly version = "7.0.0";
  readonly source: string = `stand-in ${mongoJavaServer.name} ${mongoJavaServer.version}`;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #folder: TemporaryFolder;
  readonly #program: Program;

  constructor(java: Java, options: MongoOptions, folder: TemporaryFolder, port: number) {
    this.port = port;
    this.#folder = folder;
    const { storage = "file", heap = HEAP_MIB } = options;
    const inFile = storage === "file";
    const virtualMachine = [`-Xmx${heap}m`, ...(inFile ? QUICK_START : []), "-cp", java.classPath];
    this.#program = new Program({
      command: java.command,
      args: [...virtualMachine, mongoJavaServer.main, String(port), ...(inFile ? [join(folder.path, "data")] : [])],
      ready: /^ready$/m,
    });
  }

  get url(): string {
    return `mongodb://${this.host}:${this.port}/`;
  }

  get folder(): string {
    return this.#folder.path;
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
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#folder.remove();
  }
}
