/**
 * A MongoDB replica set of several members, for tests of failover. Real servers only: nothing stands in for an election.
 * A member's address is the same for the others and for clients, so containers share the machine's network: Linux only.
 */
import { announce } from "./announce.ts";
import { startFirst, type Using } from "./find.ts";
import { kinds } from "./kinds.ts";
import type { MongoServer } from "./mongo.ts";
import { initiate, isPrimary, runsAsMember } from "./mongo-admin.ts";
import { type Mongod, serverOf, SET } from "./mongod.ts";
import { startMongodProgram } from "./mongod-program.ts";
import { startAll } from "./start-all.ts";
import { Unavailable } from "./unavailable.ts";
import { until } from "./wait.ts";

/** What set a test wants. */
export interface MongoReplicaSetOptions {
  /** Default 3, which is the least that can elect another primary. */
  readonly members?: number;
  /** The first of these that is to be had. Default: `container`, `program`. */
  readonly using?: readonly Using[];
}

/** A replica set that belongs to the test. */
export interface MongoReplicaSet {
  /** All of its servers. Each can be paused, stopped and started again by itself. */
  readonly members: readonly MongoServer[];
  /** Names all members. */
  readonly url: string;
  /** Resolves with the member that takes writes, once there is one. */
  primary(): Promise<MongoServer>;
  /** SIGKILL the primary; resolves with the next one. The old one follows once it is started. A majority must run. */
  failover(): Promise<MongoServer>;
  close(): Promise<void>;
}

/** Start a set; resolves when all members run and one takes writes. Rejects with Unavailable when there is no real MongoDB. */
export async function startMongoReplicaSet(options: MongoReplicaSetOptions = {}): Promise<MongoReplicaSet> {
  const { members = 3, using = ["container", "program"] } = options;
  const set = new ReplicaSet(
    await startFirst(kinds.mongo, using, {
      container: async () => {
        if (process.platform !== "linux") throw new Unavailable("containers cannot share the network of this machine");
        const { startMongodContainer } = await import("./mongod-container.ts"); // its libraries take a third of a second
        return startMembers(members, async () => startMongodContainer({ replicaSet: true }, "host"));
      },
      program: () => startMembers(members, async () => startMongodProgram({ replicaSet: true })),
    }),
  );
  try {
    await set.form();
  } catch (error) {
    await set.close();
    throw error;
  }
  const { version, source } = set.members[0]!;
  announce(`MongoDB ${version} from ${source}, a replica set of ${members}`);
  return set;
}

async function startMembers(count: number, start: () => Promise<Mongod>): Promise<readonly MongoServer[]> {
  return startAll(count, async () => serverOf(await start(), { replicaSet: true }, runsAsMember));
}

class ReplicaSet implements MongoReplicaSet {
  readonly members: readonly MongoServer[];

  constructor(members: readonly MongoServer[]) {
    this.members = members;
  }

  get url(): string {
    return `mongodb://${this.members.map(({ host, port }) => `${host}:${port}`).join(",")}/?replicaSet=${SET}`;
  }

  async form(): Promise<void> {
    await initiate(SET, this.members);
    await Promise.all(this.members.map(runsAsMember));
    await this.primary();
  }

  async primary(): Promise<MongoServer> {
    return this.#primaryAmong(this.members);
  }

  async failover(): Promise<MongoServer> {
    const old = await this.primary();
    await old.stop();
    return this.#primaryAmong(this.members.filter((member) => member !== old));
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map(async (member) => member.close()));
  }

  async #primaryAmong(members: readonly MongoServer[]): Promise<MongoServer> {
    let primary: MongoServer | undefined;
    await until("a member is the primary", async () => {
      const leads = await Promise.all(members.map(async (member) => isPrimary(member).catch(() => false)));
      primary = members[leads.indexOf(true)];
      return primary !== undefined;
    });
    return primary!;
  }
}
