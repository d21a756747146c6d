/**
 * The nodes of a cluster. ioredis finds out which node has which slot and connects to the nodes; a call is sent to its node directly,
 * so that its fate is known: when the connection to that node is lost, the call is of unknown outcome, and nobody sends it again.
 * Only a call that was answered with the address of another node goes through ioredis as a whole, which follows `MOVED` and `ASK`.
 */
import { Cluster, type Redis } from "ioredis";
import { type PqError, systemClock } from "@pq/core/backend";
import { DUPLICATE, ownClusterOptions } from "./client-options.ts";
import { Bell } from "./connecting.ts";
import { connectError, isFatal } from "./errors.ts";
import { Lane } from "./lane.ts";
import type { Target } from "./options.ts";
import { closedError, noConnection, type Route, type RouteSettings, untilFound } from "./route.ts";
import { slotOf } from "./slot.ts";
import { farewell } from "./standalone.ts";

/** While a node is looked for, in ms: the pause between two looks, and between two questions to the cluster. */
const LOOK = 10;
const ASK_AGAIN = 200;

type ClusterTarget = Extract<Target, { kind: "cluster" | "borrowed-cluster" }>;

/** A node, and how to stop listening to it. */
interface KnownNode {
  readonly client: Redis;
  readonly forget: () => void;
}

/** The route into a cluster. */
export class Clustered implements Route {
  readonly #target: ClusterTarget;
  readonly #settings: RouteSettings;
  readonly #changed = new Bell();
  readonly #nodes = new Map<string, KnownNode>();
  readonly #lanes = new Map<string, Lane>();
  #cluster: Cluster | undefined;
  #whole: Lane | undefined;
  #up = false;
  #asked = -Infinity;
  #why: PqError | undefined;

  constructor(target: ClusterTarget, settings: RouteSettings) {
    this.#target = target;
    this.#settings = settings;
  }

  async open(ms: number): Promise<void> {
    const cluster = this.#begin();
    const ready = await untilFound(this.#changed, ms, () => {
      const hopeless = this.#cluster === undefined || (this.#why !== undefined && isFatal(this.#why));
      return cluster.status === "ready" || hopeless || cluster.status === "end" ? true : undefined;
    });
    if (ready === true && cluster.status === "ready" && this.#cluster !== undefined) return;
    const error = this.#cluster === undefined ? closedError() : this.#noConnection();
    await this.close();
    throw error;
  }

  lane(key: string | null): Lane | undefined {
    const lane = key === null ? this.#anyLane() : this.#lanes.get(this.#ownerOf(key) ?? "");
    return lane?.usable === true ? lane : undefined;
  }

  async laneSoon(key: string | null, ms: number): Promise<Lane> {
    const end = systemClock.monotonic() + ms;
    for (;;) {
      if (this.#cluster === undefined) throw closedError();
      const lane = this.lane(key);
      if (lane !== undefined) return lane;
      if (systemClock.monotonic() >= end) throw this.#noConnection();
      this.#look((key === null ? this.#masters()[0] : this.#ownerOf(key)) ?? "");
      await this.#changed.wait(LOOK);
    }
  }

  async lanes(ms: number): Promise<readonly Lane[]> {
    const end = systemClock.monotonic() + ms;
    for (;;) {
      if (this.#cluster === undefined) throw closedError();
      const masters = this.#masters();
      const lanes = masters.flatMap((name) => this.#lanes.get(name) ?? []).filter(({ usable }) => usable);
      if (lanes.length > 0 && lanes.length === masters.length) return lanes;
      if (systemClock.monotonic() >= end) throw this.#noConnection();
      for (const name of masters) this.#look(name);
      await this.#changed.wait(LOOK);
    }
  }

  detour(): Lane | undefined {
    return this.#whole?.usable === true ? this.#whole : undefined;
  }

  async waiter(key: string): Promise<Redis> {
    const lane = await this.laneSoon(key, ASK_AGAIN * 5);
    return (lane.client as Redis).duplicate(DUPLICATE);
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    await Promise.all([...this.#lanes.values(), this.#whole].map(farewell));
    this.#cluster = undefined;
    cluster.off("+node", this.#onNode).off("-node", this.#onNodeGone).off("node error", this.#onNodeError);
    cluster.off("ready", this.#onReady).off("close", this.#onClose).off("end", this.#onClose);
    this.#whole?.stop("the connection was closed");
    for (const lane of this.#lanes.values()) lane.stop("the connection was closed");
    this.#lanes.clear();
    for (const name of this.#nodes.keys()) this.#forget(name);
    if (this.#target.kind === "cluster") cluster.disconnect();
    this.#changed.ring();
  }

  #begin(): Cluster {
    if (this.#cluster !== undefined) return this.#cluster;
    const { address, commandTimeout } = this.#settings;
    const target = this.#target;
    const cluster =
      target.kind === "cluster" ? new Cluster([...target.nodes], ownClusterOptions(target.options)) : target.client;
    this.#cluster = cluster;
    this.#why = undefined;
    this.#whole = new Lane(cluster, address, commandTimeout, () => undefined);
    // An error that nobody listens to would be printed; each has its reason in `node error`.
    if (target.kind === "cluster") cluster.on("error", this.#onNodeError);
    cluster.on("+node", this.#onNode).on("-node", this.#onNodeGone).on("node error", this.#onNodeError);
    cluster.on("ready", this.#onReady).on("close", this.#onClose).on("end", this.#onClose);
    for (const node of cluster.nodes()) this.#onNode(node);
    if (cluster.status === "wait") cluster.connect().catch(() => undefined);
    if (cluster.status === "ready") this.#onReady();
    return cluster;
  }

  #ownerOf(key: string): string | undefined {
    return this.#cluster?.slots[slotOf(key)]?.[0];
  }

  #masters(): string[] {
    return this.#cluster?.nodes("master").map(nameOf) ?? [];
  }

  #anyLane(): Lane | undefined {
    return this.#lanes.get(this.#masters().find((name) => this.#lanes.get(name)?.usable === true) ?? "");
  }

  /** Do something so that this node, or the one that took its place, can be used soon. */
  #look(name: string): void {
    const cluster = this.#cluster;
    if (cluster?.status !== "ready") return;
    const node = this.#nodes.get(name)?.client;
    if (node?.status === "wait") node.connect().catch(() => undefined);
    if (node !== undefined && node.status !== "end" && node.status !== "close") return;
    const now = systemClock.monotonic();
    if (now < this.#asked + ASK_AGAIN) return;
    this.#asked = now;
    cluster.refreshSlotsCache();
  }

  readonly #onNode = (client: Redis): void => {
    const name = nameOf(client);
    this.#forget(name);
    const onReady = (): void => this.#nodeReady(name, client);
    const onClose = (): void => this.#nodeLost(name, client);
    client.on("ready", onReady).on("close", onClose);
    this.#nodes.set(name, { client, forget: () => void client.off("ready", onReady).off("close", onClose) });
    if (client.status === "ready") onReady();
  };

  readonly #onNodeGone = (client: Redis): void => {
    const name = nameOf(client);
    this.#nodeLost(name, client);
    if (this.#nodes.get(name)?.client === client) this.#forget(name);
  };

  #forget(name: string): void {
    this.#nodes.get(name)?.forget();
    this.#nodes.delete(name);
  }

  readonly #onNodeError = (error: unknown): void => {
    // That all nodes failed says less than why the last one did.
    const reason = error instanceof Error && "lastNodeError" in error ? error.lastNodeError : error;
    this.#why = connectError(reason, this.#settings.address);
    this.#changed.ring();
  };

  readonly #onReady = (): void => {
    this.#up = true;
    this.#why = undefined;
    this.#settings.onState(true, `connected to ${this.#settings.address}`);
    this.#changed.ring();
  };

  readonly #onClose = (): void => {
    const message = `the connection to ${this.#settings.address} was lost`;
    this.#whole?.lose(message);
    if (this.#up) this.#settings.onState(false, message);
    this.#up = false;
    this.#changed.ring();
  };

  #nodeReady(name: string, node: Redis): void {
    const { commandTimeout } = this.#settings;
    const late = (): void => {
      this.#lanes.delete(name);
      // Its socket may be dead without knowing it.
      node.disconnect(true);
    };
    this.#lanes.get(name)?.stop(`the connection to ${name} was lost`);
    this.#lanes.set(name, new Lane(node, name, commandTimeout, late));
    this.#changed.ring();
  }

  #nodeLost(name: string, node: Redis): void {
    const lane = this.#lanes.get(name);
    if (lane?.client !== node) return;
    lane.stop(`the connection to ${name} was lost`);
    this.#lanes.delete(name);
    this.#changed.ring();
  }

  #noConnection(): PqError {
    return noConnection(this.#settings.address, this.#why);
  }
}

function nameOf({ options }: Redis): string {
  return `${options.host ?? "127.0.0.1"}:${options.port ?? 6379}`;
}
