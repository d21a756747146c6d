/**
 * The server: `node server.js <data file> [port]`. It listens on the loopback interface, on a port of the system's choice unless
 * one is given, and tells the port on its standard output (and to the process that forked it, with which it also ends).
 *
 * Each request is worked off at once and alone, so each is one atomic step. The protocol is described in `protocol.ts`, the
 * file in `log.ts`.
 */
import { createServer, type Socket } from "node:net";
import { isPqError, type PqError } from "@pq/core/backend";
import { frame, FrameReader, type Request, type Response } from "./protocol.ts";
import { guarantees, Store } from "./store.ts";
import { Waiters } from "./waiters.ts";

const [path, port = "0"] = process.argv.slice(2);
if (path === undefined) throw new TypeError("usage: server.js <data file> [port]");

const waiters = new Waiters();
const alarms = new Map<string, NodeJS.Timeout>();
const store = load(path);

/** The store, or the reason why there is none: every request is answered with it. */
function load(file: string): Store | PqError {
  try {
    return new Store(file);
  } catch (error) {
    if (isPqError(error)) return error;
    throw error;
  }
}

/** Work on one queue, then wake as many waiters as jobs came. */
function onQueue<T>(store: Store, queue: string, work: () => T): T {
  const before = store.available(queue);
  const result = work();
  waiters.wake(queue, store.available(queue) - before);
  setAlarm(store, queue);
  return result;
}

/** While somebody waits, look again when something happens by itself. */
function setAlarm(store: Store, queue: string): void {
  clearTimeout(alarms.get(queue));
  alarms.delete(queue);
  if (waiters.count(queue) === 0) return;
  const before = store.available(queue);
  const next = store.catchUp(queue);
  waiters.wake(queue, store.available(queue) - before);
  if (next === undefined) return;
  const look = (): void => setAlarm(store, queue);
  alarms.set(queue, setTimeout(look, Math.min(Math.max(1, next - store.now()), 2 ** 31 - 1)));
}

/** The answer to a request; `undefined` when it comes later. */
function answer(store: Store, socket: Socket, request: Request): Response | undefined {
  const { id } = request;
  switch (request.op) {
    case "hello":
      return { id, answer: guarantees };
    case "wait":
      return wait(store, socket, id, request.params);
    case "cancel":
      cancel(store, socket, request.params);
      return { id, answer: null };
    case "read":
      return { id, answer: onQueue(store, request.params.queue, () => store.read(request.params)) };
    case "stats":
      return { id, answer: onQueue(store, request.params.queue, () => store.stats(request.params.queue)) };
    case "queues":
      return { id, answer: store.queues() };
    default:
      return { id, answer: onQueue(store, request.params.queue, () => store.change(request)) };
  }
}

interface Wait {
  readonly queue: string;
  readonly timeout: number;
}

function wait(store: Store, socket: Socket, id: number, { queue, timeout }: Wait): Response | undefined {
  onQueue(store, queue, () => store.catchUp(queue));
  if (store.available(queue) > 0) return { id, answer: null };
  waiters.add({ queue, owner: socket, id, answer: () => send(socket, { id, answer: null }) }, timeout);
  setAlarm(store, queue);
  return undefined;
}

/** Ends a wait. Was it woken before it heard of that, somebody else gets the news. */
function cancel(
  store: Store,
  socket: Socket,
  { queue, wait }: { readonly queue: string; readonly wait: number },
): void {
  if (!waiters.cancel(socket, queue, wait)) passOn(store, queue);
}

function passOn(store: Store, queue: string): void {
  waiters.wake(queue, Math.min(1, store.available(queue)));
}

function send(socket: Socket, response: Response): void {
  if (socket.writable) socket.write(frame(response));
}

/** A failure that is no answer (the file cannot be written) ends the server: what is in memory is ahead of the file. */
function handle(socket: Socket, request: Request): void {
  if (store instanceof Store) {
    const response = answer(store, socket, request);
    if (response !== undefined) send(socket, response);
  } else {
    send(socket, { id: request.id, code: store.code, message: store.message });
  }
}

/** The requests in a piece of bytes. `undefined`: this is not somebody who speaks the protocol. */
function requestsIn(reader: FrameReader, piece: Buffer): Request[] | undefined {
  try {
    return [...reader.read(piece)] as Request[];
  } catch {
    return undefined;
  }
}

const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
  const reader = new FrameReader();
  socket.on("data", (piece) => {
    const requests = requestsIn(reader, piece);
    if (requests === undefined) socket.destroy();
    else for (const request of requests) handle(socket, request);
  });
  socket.on("error", () => undefined); // `close` follows
  socket.on("close", () => {
    const lost = waiters.hangUp(socket);
    if (store instanceof Store) for (const queue of lost) passOn(store, queue);
  });
});

/** A port that was given may still be in use, by a connection of somebody else or by the server before this one. */
function listen(patience: number): void {
  server.removeAllListeners("error");
  server.once("error", (error) => {
    if (patience <= 0) throw error;
    setTimeout(listen, 50, patience - 1);
  });
  server.listen(Number(port), "127.0.0.1");
}

server.on("listening", () => {
  const address = server.address();
  const chosen = typeof address === "object" ? address?.port : undefined;
  console.log(`listening on port ${chosen}`);
  process.send?.({ port: chosen });
});
process.on("disconnect", () => process.exit());
listen(port === "0" ? 0 : 100);
