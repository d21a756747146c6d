/** The servers that tests know: how each is found. A new backend adds its own here. */

/** The name of a kind of server. */
export type KindName = "redis" | "valkey";

/** How one kind of server is found. */
export interface Kind {
  readonly name: KindName;
  /** Holds the address of a running server. */
  readonly addressVariable: string;
  /** Holds the image to use instead of `image`. */
  readonly imageVariable: string;
  /** What to pull. The version is pinned, so that a new one breaks nothing by surprise. */
  readonly image: string;
  /** The program on the PATH. */
  readonly program: string;
  /** The Debian package that has the program. Bookworm has some of them in backports only. */
  readonly debianPackage: string;
}

/** All of them. */
export const kinds: Readonly<Record<KindName, Kind>> = {
  redis: {
    name: "redis",
    addressVariable: "PQ_REDIS_URL",
    imageVariable: "PQ_REDIS_IMAGE",
    image: "redis:7.4.2",
    program: "redis-server",
    debianPackage: "redis-server",
  },
  valkey: {
    name: "valkey",
    addressVariable: "PQ_VALKEY_URL",
    imageVariable: "PQ_VALKEY_IMAGE",
    image: "valkey/valkey:8.0.2",
    program: "valkey-server",
    debianPackage: "valkey-server",
  },
};
