/** ZooKeeper itself, for machines without Debian's packages. What it has of TLS and of its web page needs more jars, which are not here. */
import { jar, type JarServer } from "./maven.ts";

const VERSION = "3.9.6";

/** The server, and the jar that prints its log. */
export const zkJars: JarServer = {
  name: "zookeeper",
  version: VERSION,
  jars: [
    server("zookeeper", "09bdf93be7c0b5b7cd9fe51bee6abe424796cd5aaf75cf0c10bbd6f1273562ee"),
    server("zookeeper-jute", "74f9cb1e4ba899ecc4b816201b4afd1c63c256705bd9176393fac4071597c75f"),
    jar(
      "io/dropwizard/metrics",
      "metrics-core",
      "4.1.12.1",
      "cec34936faa625039f4e46123eccaa10a9eb9d9a40c6075830cd81330e259cf9",
    ),
    jar(
      "org/xerial/snappy",
      "snappy-java",
      "1.1.10.5",
      "0f3f1857ed33116583f480b4df5c0218836c47bfbc9c6221c0d73f356decf37b",
    ),
    jar("org/slf4j", "slf4j-api", "1.7.36", "d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0"),
    jar("org/slf4j", "slf4j-simple", "1.7.36", "2f39bed943d624dfa8f4102d0571283a10870b6aa36f197a8a506f147010c10f"),
  ],
};

function server(part: string, sha256: string): ReturnType<typeof jar> {
  return jar("org/apache/zookeeper", part, VERSION, sha256);
}
