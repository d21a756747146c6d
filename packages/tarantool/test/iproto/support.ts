/** What tests of connections share. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Connection, type ConnectParams } from "../../src/iproto/connection.ts";
import { ConnectionLost, ServerError } from "../../src/iproto/errors.ts";
import { opener, type Target } from "../../src/iproto/target.ts";

/** For calls that are answered, in ms: also on a busy machine. */
export const LONG = 30_000;

/** The salt of the servers here: 32 bytes, of which 20 count. */
export const SALT: Buffer = Buffer.from(Array.from({ length: 32 }, (_, i) => 7 * i));

/** A greeting with a first line of one's own. */
export function greetingText(line = "Tarantool 2.6.0 (Binary) 6b1d0b8e-0d1c-4b0f-8b1e-0d1c4b0f8b1e"): string {
  return `${line.padEnd(63)}\n${SALT.toString("base64").padEnd(63)}\n`;
}

/** What a call came to, in one word or two. */
export function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "answered",
    (error: unknown) => {
      if (error instanceof ServerError) return `error ${error.code}`;
      if (error instanceof ConnectionLost) return error.sent ? "lost" : "not sent";
      return String(error);
    },
  );
}

/** What something was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof Error) return error;
  throw new Error("it did not reject");
}

/** Connections that are closed together. */
export class Connections {
  readonly #open = new Set<Connection>();

  /** Connect, as guest unless said otherwise. */
  async connect(target: Target, more: Partial<ConnectParams> = {}): Promise<Connection> {
    const connection = await Connection.connect({
      open: opener(target),
      user: null,
      password: null,
      timeout: LONG,
      ...more,
    });
    this.#open.add(connection);
    return connection;
  }

  closeAll(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }
}

/** A server that is none. */
export interface FakeServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Start one, which does what `serve` does with a client. */
export async function fakeServer(serve: (client: Socket) => void): Promise<FakeServer> {
  const clients = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    clients.add(client);
    client.on("error", () => undefined);
    serve(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
