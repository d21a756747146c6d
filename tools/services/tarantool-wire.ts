/** The little that is said to a Tarantool server without a client library. */
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { messageOf } from "./unavailable.ts";

const TIME_LIMIT_MS = 30_000;
/** Of every greeting. */
const GREETING_BYTES = 128;

/** The version that it greets with. Rejects when whoever answers is no Tarantool, or does not answer. */
export async function versionOf(address: { readonly host: string; readonly port: number }): Promise<string> {
  const greeting = await exchange(address, (socket, text) => {
    if (text.length >= GREETING_BYTES) socket.end();
  });
  const version = /^Tarantool ([\d.]+)\S* \(Binary\)/.exec(greeting)?.[1];
  if (version === undefined) throw new Error(`${address.host}:${address.port} does not greet as Tarantool does.`);
  return version;
}

/** Have Lua run by the server that listens on this unix socket for it. */
export async function runLua(path: string, lua: string): Promise<string> {
  return resultIn(await exchange({ path }, () => {}, lua));
}

/** What the server answered to Lua. Throws the error that it was. */
export function resultIn(answer: string): string {
  if (answer.startsWith("+")) return answer.slice(1);
  throw new Error(answer.startsWith("-") ? answer.slice(1) : "The server ended before it answered.");
}

/** Send this, if it is given, and all of it; resolves with everything that comes until the end. */
async function exchange(
  address: NetConnectOpts,
  heard: (socket: Socket, text: string) => void,
  request?: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    let text = "";
    const fail = (reason: string): void => {
      reject(new Error(`${JSON.stringify(address)}: ${reason}.`));
      socket.destroy();
    };
    const timer = setTimeout(() => fail("no answer"), TIME_LIMIT_MS);
    socket.setEncoding("utf8");
    socket.on("connect", () => request !== undefined && socket.end(request));
    socket.on("data", (chunk: string) => heard(socket, (text += chunk)));
    socket.on("error", (error) => fail(messageOf(error)));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
