/** ZooKeeper's four-letter words: questions that it answers on its client port, and closes the connection. */
import { connect } from "node:net";

const TIME_LIMIT_MS = 2_000;

/**
 * Ask a ZooKeeper server: `fourLetter("127.0.0.1", 2181, "mntr")`. Resolves with all that it says. Rejects when nothing takes
 * the connection, and when the answer is not complete after the limit, in ms: a server that is paused never says anything.
 */
export async function fourLetter(
  host: string,
  port: number,
  word: string,
  limitMs: number = TIME_LIMIT_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let answer = "";
    const timer = setTimeout(() => {
      socket.destroy(new Error(`${host}:${port} did not answer ${word} in ${limitMs} ms.`));
    }, limitMs);
    socket.setEncoding("utf8");
    socket.once("connect", () => socket.write(word));
    socket.on("data", (chunk: string) => void (answer += chunk));
    socket.once("end", () => resolve(answer));
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error(`${host}:${port} closed the connection before it answered ${word}.`));
    });
  });
}

/** What a server says of itself. */
export interface ZkState {
  /** Such as `3.8.0`. */
  readonly version: string;
  /** `standalone`, `leader`, `follower`, `observer`; undefined while it serves nobody, since there is no majority. */
  readonly mode: string | undefined;
}

/** Ask a server what it is. Rejects as `fourLetter` does. */
export async function stateOf({ host, port }: { readonly host: string; readonly port: number }): Promise<ZkState> {
  const answer = await fourLetter(host, port, "srvr");
  return {
    version: /^Zookeeper version: (\d+(?:\.\d+)*)/m.exec(answer)?.[1] ?? "unknown",
    mode: /^Mode: (\S+)/m.exec(answer)?.[1],
  };
}
