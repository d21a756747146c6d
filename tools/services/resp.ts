/** One request to a Redis server, without a client library. */
import { connect } from "node:net";

/** What a server answers: RESP2. */
export type Reply = string | number | null | readonly Reply[];

/** The server answered with an error. */
class ReplyError extends Error {
  override name = "ReplyError";
}

/** Where to send a request. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  /** Sent first, if it is there and not empty. */
  readonly password?: string;
}

type Command = readonly (string | number)[];

const CRLF = "\r\n";
const TIME_LIMIT_MS = 5_000;

/** Send one command over a connection of its own and return the reply. Rejects with ReplyError, or when there is no answer within 5 s. */
export async function request(address: Address, ...command: Command): Promise<Reply> {
  return (await requests(address, command)).at(-1) as Reply;
}

/** Send commands one after the other over one connection. Rejects when any of them is refused. */
export async function requests(address: Address, ...commands: readonly Command[]): Promise<readonly Reply[]> {
  const greetings = greeting(address);
  const replies = await exchange(address, [...greetings, ...commands]);
  const refused = replies.find((reply) => reply instanceof ReplyError);
  if (refused !== undefined) throw refused;
  return replies.slice(greetings.length) as Reply[];
}

function greeting({ username = "", password = "" }: Address): readonly (readonly string[])[] {
  if (password === "") return [];
  return [username === "" ? ["AUTH", password] : ["AUTH", username, password]];
}

async function exchange(address: Address, commands: readonly Command[]): Promise<readonly (Reply | ReplyError)[]> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let answer = "";
    const fail = (reason: string): void => void socket.destroy(new Error(`${host}:${port} ${reason}.`));
    socket.setTimeout(TIME_LIMIT_MS, () => fail("does not answer"));
    socket.on("connect", () => socket.write(commands.map(encode).join(""), "latin1"));
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      const decoded = decodeAll(answer, commands.length);
      if (decoded === undefined) return;
      resolve(decoded);
      socket.destroy();
    });
    socket.on("end", () => fail("closed the connection"));
    socket.on("error", reject);
  });
}

function encode(command: Command): string {
  const words = command.map((word) => `$${Buffer.byteLength(String(word))}${CRLF}${word}${CRLF}`);
  return Buffer.from(`*${words.length}${CRLF}${words.join("")}`).toString("latin1");
}

interface Decoded {
  readonly reply: Reply | ReplyError;
  readonly end: number;
}

/** Undefined while some are missing. */
function decodeAll(text: string, count: number): readonly (Reply | ReplyError)[] | undefined {
  const replies: (Reply | ReplyError)[] = [];
  let end = 0;
  while (replies.length < count) {
    const next = decode(text, end);
    if (next === undefined) return undefined;
    replies.push(next.reply);
    end = next.end;
  }
  return replies;
}

/** Undefined while a part is missing. Errors within arrays are thrown away with the rest: none of our commands has them. */
function decode(text: string, start: number): Decoded | undefined {
  const lineEnd = text.indexOf(CRLF, start);
  if (lineEnd === -1) return undefined;
  const line = text.slice(start + 1, lineEnd);
  const end = lineEnd + CRLF.length;
  switch (text[start]) {
    case "+":
      return { reply: line, end };
    case "-":
      return { reply: new ReplyError(line), end };
    case ":":
      return { reply: Number(line), end };
    case "$":
      return decodeBulk(text, end, Number(line));
    case "*":
      return decodeArray(text, end, Number(line));
    default:
      throw new ReplyError(`This is not RESP2: ${JSON.stringify(text.slice(start, start + 40))}`);
  }
}

function decodeBulk(text: string, start: number, length: number): Decoded | undefined {
  if (length === -1) return { reply: null, end: start };
  const end = start + length + CRLF.length;
  if (text.length < end) return undefined;
  return { reply: Buffer.from(text.slice(start, start + length), "latin1").toString(), end };
}

function decodeArray(text: string, start: number, length: number): Decoded | undefined {
  if (length === -1) return { reply: null, end: start };
  const items: Reply[] = [];
  let end = start;
  while (items.length < length) {
    const item = decode(text, end);
    if (item === undefined || item.reply instanceof ReplyError) return item;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
