/**
 * Servers for tests. A test file of a backend says
 *
 *   const redis = await available("redis", "program");
 *   describe.skipIf(!redis.available)("…", () => { … await startRedis({ using: "program" }) … });
 *
 * and the package's vitest.config.ts names setup-redis.ts as its `globalSetup`. A program takes some 10 ms to start, a container
 * half a second, a stand-in and ZooKeeper a third of one. A file that used containers ends with `afterAll(stopEngine)`.
 */
export { stopEngine } from "./engine.ts";
export { fourLetter } from "./four-letter.ts";
export { type Availability, available, genuine } from "./policy.ts";
export type { RedisFlavour, RedisOptions, RedisServer, RedisUsing } from "./redis.ts";
export type { MongoOptions, MongoServer, MongoUsing } from "./mongo.ts";
export { type MongoReplicaSet, type MongoReplicaSetOptions, startMongoReplicaSet } from "./mongo-replica-set.ts";
export { startMongo } from "./mongo-start.ts";
export { type RedisCluster, type RedisClusterOptions, startRedisCluster } from "./redis-cluster.ts";
export { type SentinelOptions, type Sentinels, startSentinels } from "./redis-sentinel.ts";
export { startRedis } from "./redis-start.ts";
export type {
  TarantoolCfg,
  TarantoolOptions,
  TarantoolServer,
  TarantoolSettings,
  TarantoolUsing,
} from "./tarantool.ts";
export type { TarantoolProgram } from "./tarantool-program.ts";
export {
  startTarantoolReplicaSet,
  type TarantoolReplicaSet,
  type TarantoolReplicaSetOptions,
} from "./tarantool-replica-set.ts";
export { startTarantool } from "./tarantool-start.ts";
export type { ZkOptions, ZkServer, ZkSettings, ZkUsing } from "./zk.ts";
export { startZkEnsemble, type ZkEnsemble, type ZkEnsembleOptions } from "./zk-ensemble.ts";
export type { ZkProgram } from "./zk-program.ts";
export { startZk } from "./zk-start.ts";
export { Unavailable } from "./unavailable.ts";
