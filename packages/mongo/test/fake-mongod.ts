/** A server that speaks just enough of the protocol to answer each command as a test wants it: for what no real server says on demand. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { BSON, type Document } from "mongodb";

/** The answer to a command; `"cut"` resets the connection instead, `"silence"` leaves it open. */
export type Answer = Document | "cut" | "silence";

/** What a test wants a command to be answered, now or later. */
type Answers = (command: Document, name: string) => Answer | undefined | Promise<Answer>;

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER = 16;

/** What a server says of itself when a connection begins. */
export const standalone: Document = {
  isWritablePrimary: true,
  ismaster: true,
  helloOk: true,
  minWireVersion: 0,
  maxWireVersion: 21,
  maxBsonObjectSize: 16 * 1024 * 1024,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
};

/** The server. */
export class FakeMongod {
  readonly port: number;
  /** What was sent to it but greetings, by name: the first field of the command. */
  readonly commands: Document[] = [];
  /** Resets new connections. */
  refusing = false;
  /** How many it has reset so. */
  refused = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answer: Answers;

  /** Listen on a free port. What `answer` leaves open is `{ ok: 1 }`, and for greetings what a standalone server says. */
  static async listen(answer: Answers): Promise<FakeMongod> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FakeMongod(server, answer);
  }

  private constructor(server: Server, answer: Answers) {
    this.#server = server;
    this.#answer = answer;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#accept(socket));
  }

  get url(): string {
    return `mongodb://127.0.0.1:${this.port}/?directConnection=true`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(socket: Socket): void {
    if (this.refusing) {
      this.refused++;
      socket.resetAndDestroy();
      return;
    }
    this.#sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= HEADER && bytes.length >= bytes.readInt32LE(0)) {
        const message = bytes.subarray(0, bytes.readInt32LE(0));
        bytes = bytes.subarray(message.length);
        this.#receive(socket, message);
      }
    });
  }

  #receive(socket: Socket, message: Buffer): void {
    const command = commandOf(message);
    const [name = ""] = Object.keys(command);
    const greets = /^(ismaster|hello)$/i.test(name);
    if (!greets) this.commands.push(command);
    const answer = this.#answer(command, name) ?? (greets ? standalone : {});
    if (!(answer instanceof Promise)) return this.#reply(socket, message, answer);
    answer.then(
      (later) => this.#reply(socket, message, later),
      () => socket.destroy(),
    );
  }

  #reply(socket: Socket, message: Buffer, answer: Answer): void {
    if (answer === "silence") return;
    if (answer === "cut") return void socket.resetAndDestroy();
    socket.write(reply(message, { ok: 1, ...answer }));
  }
}

function commandOf(message: Buffer): Document {
  // After the flags: in OP_QUERY the collection's name and two numbers, in OP_MSG the kind of the first section.
  const start = message.readInt32LE(12) === OP_QUERY ? message.indexOf(0, HEADER + 4) + 9 : HEADER + 5;
  return BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
}

function reply(request: Buffer, document: Document): Buffer {
  const query = request.readInt32LE(12) === OP_QUERY;
  const body = Buffer.from(BSON.serialize(document));
  const prefix = Buffer.alloc(query ? 20 : 5);
  if (query) prefix.writeInt32LE(1, 16);
  const header = Buffer.alloc(HEADER);
  header.writeInt32LE(HEADER + prefix.length + body.length, 0);
  header.writeInt32LE(request.readInt32LE(4), 8);
  header.writeInt32LE(query ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([header, prefix, body]);
}
