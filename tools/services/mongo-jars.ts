/** mongo-java-server: what stands in for MongoDB where there is none. It keeps documents, indexes and atomic updates; it has no transactions, no change streams, no replica sets. */
import type { JavaServer } from "./java.ts";
import { type Jar, jar } from "./maven.ts";

const VERSION = "1.47.0";
const NETTY = "4.2.2.Final";

/** The server. All of its jars are here: nothing else is looked up. */
export const mongoJavaServer: JavaServer = {
  name: "mongo-java-server",
  version: VERSION,
  main: "MongoStandIn",
  jars: [
    server("core", "9a34c9ad6ac6261906295481838256033ec1efc8c93a3e3828e5d47a006b0bd4"),
    server("memory-backend", "82864f8a2ede1514f64c2cd3a70e8022c259eb3d78975cfa208c1668ac1f12bb"),
    server("h2-backend", "58ca6760a25f8a05adfe8a0f7a8a042ca22bd472869028755931507cdce20e71"),
    jar("com/h2database", "h2", "2.3.232", "8dae62d22db8982c3dcb3826edb9c727c5d302063a67eef7d63d82de401f07d3"),
    jar("org/slf4j", "slf4j-api", "2.0.17", "7b751d952061954d5abfed7181c1f645d336091b679891591d63329c622eb832"),
    netty("buffer", "4820eeb2d3db269b20b30711e3d7d21979664249aaf10fc67f90dee935810747"),
    netty("codec-base", "76987614ccb2fda7d3292b69ba5b61351f30e91bf5c7d8fa4b51bc32c9f67456"),
    netty("common", "5d022f3acad74cb0f195f60213500a4000d1340e5e941edaf1a0e756686b9bae"),
    netty("handler", "d4ef582c78125457baa0cfa52992b5fb1bb9172d1a2c03b726e8b26e17d3fe2c"),
    netty("resolver", "fa7841ffe2e39d52251814fb8560d6936b10ae7c67453ee50426b83fd5170ba0"),
    netty("transport", "116d766a1af4722fe76a4cdaed969644985d44e08ec1337d2dbab697dd109603"),
    netty("transport-native-unix-common", "aa8821a7ea2ca47f62740bd1f37d67deb97824cc77e76dde6ae2c439a923fc9d"),
  ],
};

function server(part: string, sha256: string): Jar {
  return jar("de/bwaldvogel", `mongo-java-server-${part}`, VERSION, sha256);
}

function netty(part: string, sha256: string): Jar {
  return jar("io/netty", `netty-${part}`, NETTY, sha256);
}
