/** The servers that tests know: how each is found. A new backend adds its own here. */
import type { JavaServer } from "./java.ts";
import type { JarServer } from "./maven.ts";
import { mongoJavaServer } from "./mongo-jars.ts";
import { zkJars } from "./zk-jars.ts";

/** The name of a kind of server. */
export type KindName = "redis" | "valkey" | "mongo" | "tarantool" | "zk";

/** How one kind of server is found. */
export interface Kind<Name extends KindName = KindName> {
  readonly name: Name;
  /** Holds the address of a running server. */
  readonly addressVariable: string;
  /** Holds the image to use instead of `image`. */
  readonly imageVariable: string;
  /** What to pull. The version is pinned, so that a new one breaks nothing by surprise. */
  readonly image: string;
  /** The program on the PATH. */
  readonly program: string;
  /** Files that the program needs and the packages have too: jars. */
  readonly files?: readonly string[];
  /** The jars of Maven Central that do without `files`, with the same program. */
  readonly jars?: JarServer;
  /** The Debian packages that have the program, if there are any. Bookworm has some of them in backports only. */
  readonly debianPackages?: readonly string[];
  /** How a person installs the program. */
  readonly install: string;
  /** What does when none of them is to be had. */
  readonly standIn?: JavaServer;
}

/** All of them. */
export const kinds: { readonly [Name in KindName]: Kind<Name> } = {
  redis: {
    name: "redis",
    addressVariable: "PQ_REDIS_URL",
    imageVariable: "PQ_REDIS_IMAGE",
    image: "redis:7.4.2",
    program: "redis-server",
    debianPackages: ["redis-server"],
    install: "Debian: apt-get install redis-server; macOS: brew install redis",
  },
  valkey: {
    name: "valkey",
    addressVariable: "PQ_VALKEY_URL",
    imageVariable: "PQ_VALKEY_IMAGE",
    image: "valkey/valkey:8.0.2",
    program: "valkey-server",
    debianPackages: ["valkey-server"],
    install: "Debian: apt-get install valkey-server; macOS: brew install valkey",
  },
  mongo: {
    name: "mongo",
    addressVariable: "PQ_MONGO_URL",
    imageVariable: "PQ_MONGO_IMAGE",
    image: "mongo:8.0.17",
    program: "mongod",
    install:
      "macOS: brew install mongodb-community; for a stand-in only a JDK 17, Debian: apt-get install openjdk-17-jdk-headless",
    standIn: mongoJavaServer,
  },
  tarantool: {
    name: "tarantool",
    addressVariable: "PQ_TARANTOOL_URL",
    imageVariable: "PQ_TARANTOOL_IMAGE",
    image: "tarantool/tarantool:3.8.0",
    program: "tarantool",
    debianPackages: ["tarantool"],
    install: "Debian: apt-get install tarantool; macOS: brew install tarantool",
  },
  zk: {
    name: "zk",
    addressVariable: "PQ_ZK_HOSTS",
    imageVariable: "PQ_ZK_IMAGE",
    image: "zookeeper:3.9.6",
    program: "java",
    // The first names all others that it needs, but for one that prints the log.
    files: ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"],
    jars: zkJars,
    debianPackages: ["libzookeeper-java", "default-jre-headless"],
    install:
      "Debian: apt-get install libzookeeper-java default-jre-headless; elsewhere any Java, and the jars are downloaded",
  },
};
