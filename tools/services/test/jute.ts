/**
 * As much of ZooKeeper's protocol as it takes to see that a server keeps its data: one session, one request, and its end.
 * Each message is its length and its fields; a number has four bytes, and a text or a buffer is its length and its bytes.
 */
import { connect } from "node:net";
import type { Address } from "../resp.ts";

const CREATE = 1;
const EXISTS = 3;
const CLOSE = -11;
const NO_NODE = -101;
const TIMEOUT_MS = 10_000;
/** Where a reply has its error: after the length, the number of the request, and the number of the transaction. */
const ERROR_AT = 16;

/** Create an empty node. */
export async function createNode(server: Address, path: string): Promise<void> {
  const everybody = [int(1), int(31), text("world"), text("anyone")];
  const error = await request(server, CREATE, text(path), int(0), ...everybody, int(0));
  if (error !== 0) throw new Error(`${path} cannot be created: ${error}`);
}

/** True when there is such a node. */
export async function hasNode(server: Address, path: string): Promise<boolean> {
  const error = await request(server, EXISTS, text(path), Buffer.of(0));
  if (error !== 0 && error !== NO_NODE) throw new Error(`${path} cannot be looked for: ${error}`);
  return error === 0;
}

/** Resolves with the error that it answers; 0 is none. */
async function request({ host, port }: Address, type: number, ...fields: readonly Buffer[]): Promise<number> {
  // Version, last transaction seen, timeout, no session yet, its password.
  const greeting = message(int(0), Buffer.alloc(8), int(TIMEOUT_MS), Buffer.alloc(8), int(16), Buffer.alloc(16));
  const socket = connect({ host, port });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${host}:${port} does not answer.`)));
  socket.write(Buffer.concat([greeting, message(int(1), int(type), ...fields), message(int(2), int(CLOSE))]));
  let received = Buffer.alloc(0);
  for await (const chunk of socket) received = Buffer.concat([received, chunk as Buffer]);
  const [, reply] = messagesIn(received);
  if (reply === undefined) throw new Error(`${host}:${port} closed the connection.`);
  return reply.readInt32BE(ERROR_AT);
}

function messagesIn(bytes: Buffer): readonly Buffer[] {
  if (bytes.length < 4) return [];
  const end = 4 + bytes.readInt32BE(0);
  return [bytes.subarray(0, end), ...messagesIn(bytes.subarray(end))];
}

function message(...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([int(body.length), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int(bytes.length), bytes]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
