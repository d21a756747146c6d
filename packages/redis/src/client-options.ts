/**
 * The options of ioredis that this package sets, and those that it refuses.
 *
 * A client lives as long as its connection and never connects again by itself: then ioredis rejects what was in flight, sends
 * nothing twice, and queues nothing while there is no connection. Connecting again is done by `standalone.ts`.
 */
import type { Cluster, ClusterOptions, Redis, RedisOptions as ClientOptions } from "ioredis";

/** How long one attempt to connect may take when the user does not say, in ms. */
export const CONNECT_TIMEOUT = 5000;

/** Whatever the user said. */
const FORCED = {
  lazyConnect: true,
  retryStrategy: null,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  reconnectOnError: null,
  maxRetriesPerRequest: null,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: undefined,
  stringNumbers: false,
  replyMapping: "legacy",
  sentinelRetryStrategy: () => null,
  showFriendlyErrorStack: false,
} as const;

/** Unless the user says otherwise. A socket that is done with is given half a second to close by itself. */
const DEFAULTS = {
  connectTimeout: CONNECT_TIMEOUT,
  disconnectTimeout: 500,
  sentinelCommandTimeout: 2000,
  connectionName: "pq",
} as const;

type NodeOptions = NonNullable<ClusterOptions["redisOptions"]>;

/** Replies as they come, which ioredis wants to see in the type. */
type WithoutMapping<Options> = Omit<Options, "replyMapping"> & { replyMapping: "legacy" };

/** Options for a connection of our own. Sentinels need the check that what they named is a master; for others it would only cost a command. */
export function ownOptions(options: ClientOptions, differences: ClientOptions = {}): WithoutMapping<ClientOptions> {
  const sentinels = options.sentinels !== undefined && options.sentinels !== null;
  return {
    ...DEFAULTS,
    ...options,
    ...differences,
    ...FORCED,
    enableReadyCheck: sentinels,
  };
}

/** Options for a cluster of our own: it finds the nodes again for ever, and sends nothing twice. */
export function ownClusterOptions(options: ClusterOptions): Omit<ClusterOptions, "redisOptions"> & {
  readonly redisOptions: WithoutMapping<NodeOptions>;
} {
  const { lazyConnect: _, retryStrategy: __, enableOfflineQueue: ___, ...forced } = FORCED;
  return {
    slotsRefreshTimeout: 2000,
    slotsRefreshInterval: 30_000,
    ...options,
    clusterRetryStrategy: (times) => Math.min(50 * times, 1000),
    clusterNodeRetryStrategy: null,
    retryDelayOnFailover: 0,
    scaleReads: "master",
    lazyConnect: true,
    enableAutoPipelining: false,
    redisOptions: {
      ...DEFAULTS,
      ...options.redisOptions,
      ...forced,
      enableReadyCheck: false,
    },
  };
}

/** What a connection that we make beside a borrowed client must not take over from it. */
export const DUPLICATE: ClientOptions = { ...FORCED, disconnectTimeout: DEFAULTS.disconnectTimeout };

/** Refuse what would break the promises. Throws a `TypeError`. */
export function checkClient(options: ClientOptions): ClientOptions {
  if (typeof options !== "object" || options === null) throw new TypeError("options must be an object");
  refuse(options, "options");
  if (options.sentinels && !options.name) throw new TypeError("options.sentinels needs options.name, of the master");
  return options;
}

/** The same for a cluster. */
export function checkCluster(options: ClusterOptions): ClusterOptions {
  if (typeof options !== "object" || options === null) throw new TypeError("cluster.options must be an object");
  refuse(options, "cluster.options");
  refuse(options.redisOptions ?? {}, "cluster.options.redisOptions");
  return options;
}

/** The same for a client that was given. Its settings for retries are harmless: each call settles by our own deadline. */
export function checkBorrowed(client: Redis | Cluster): void {
  const given: unknown = client;
  if (typeof given !== "object" || given === null || !("callBuffer" in given) || !("isCluster" in given)) {
    throw new TypeError("client must be a Redis or a Cluster of ioredis");
  }
  const nodes = client.isCluster ? ((client.options as ClusterOptions).redisOptions ?? {}) : {};
  for (const options of [client.options, nodes] as readonly ClientOptions[]) {
    refuse(options, "the client's options");
    const { stringNumbers, replyMapping } = options;
    if (stringNumbers === true || replyMapping === "resp3") {
      throw new TypeError("the client must not have stringNumbers or replyMapping: they change the replies");
    }
  }
}

function refuse(options: object, where: string): void {
  const { keyPrefix, readOnly, monitor, role } = options as ClientOptions;
  if (keyPrefix) throw new TypeError(`${where} must not have keyPrefix: give prefix to redis() instead`);
  if (readOnly) throw new TypeError(`${where} must not have readOnly: queues are written to`);
  if (monitor) throw new TypeError(`${where} must not have monitor: such a connection takes no commands`);
  if (role === "slave") throw new TypeError(`${where} must not have role "slave": queues are written to`);
}
