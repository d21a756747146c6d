import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultProxy, type FaultProxyOptions } from "../src/testing/fault-proxy.ts";

/** Answers each line with itself and the number of lines it got so far, from whomever. */
class LineServer {
  readonly lines: string[] = [];
  readonly sockets = new Set<Socket>();
  readonly chunks: string[] = [];
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.sockets.delete(socket));
    let rest = "";
    socket.on("data", (bytes) => {
      this.chunks.push(bytes.toString());
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.lines.push(line);
        socket.write(`${line} ${this.lines.length}\n`);
      }
    });
  }
}

/** A client that sends lines and reads answers. */
class LineClient {
  readonly socket: Socket;
  readonly chunks: string[] = [];
  /** What ended the connection: an error's code, or `end`. */
  readonly over: Promise<string>;
  #text = "";
  #look: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (bytes) => {
      this.chunks.push(bytes.toString());
      this.#text += bytes.toString();
      this.#look();
    });
    this.over = new Promise((resolve) => {
      this.socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      this.socket.on("end", () => resolve("end"));
    });
  }

  send(line: string): void {
    this.socket.write(`${line}\n`);
  }

  /** The next line of the server. */
  answer(): Promise<string> {
    return new Promise((resolve) => {
      this.#look = () => {
        const end = this.#text.indexOf("\n");
        if (end === -1) return;
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        this.#look = () => undefined;
        resolve(line);
      };
      this.#look();
    });
  }

  ask(line: string): Promise<string> {
    this.send(line);
    return this.answer();
  }
}

let server: LineServer;
let port: number;
let proxy: FaultProxy;
const clients: LineClient[] = [];

async function start(options: Partial<FaultProxyOptions> = {}): Promise<void> {
  await proxy?.close();
  proxy = await FaultProxy.listen({ port, ...options });
}

function client(): LineClient {
  const made = new LineClient(proxy.port);
  clients.push(made);
  return made;
}

/** Resolves once the server has had so many lines. */
async function served(count: number): Promise<void> {
  await expect.poll(() => server.lines.length, { interval: 1 }).toBe(count);
}

beforeEach(async () => {
  server = new LineServer();
  port = await server.listen();
  await start();
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.close();
  await server.close();
});

describe("without a fault", () => {
  it("passes bytes both ways and counts them", async () => {
    const one = client();
    expect(await one.ask("a")).toBe("a 1");
    expect(await client().ask("bc")).toBe("bc 2");
    expect(proxy.statistics()).toEqual({ connections: 2, open: 2, bytesToServer: 5, bytesToClients: 9 });
  });

  it("passes a large stream unchanged", async () => {
    const long = "x".repeat(4 * 1024 * 1024);
    expect(await client().ask(long)).toBe(`${long} 1`);
  });

  it("passes the end of either side, after what was sent before", async () => {
    const one = client();
    await one.ask("a");
    one.send("last");
    one.socket.end();
    expect(await one.answer()).toBe("last 2");
    expect(await one.over).toBe("end");
    const other = client();
    await other.ask("b");
    for (const socket of server.sockets) socket.end();
    expect(await other.over).toBe("end");
    await expect.poll(() => proxy.statistics().open, { interval: 1 }).toBe(0);
  });

  it("resets a client when the server is not there", async () => {
    const unused = new LineServer();
    const free = await unused.listen();
    await unused.close();
    await start({ port: free });
    expect(await client().over).toBe("ECONNRESET");
  });
});

describe("a lost reply", () => {
  it("lets the server apply the request and the client never hear of it", async () => {
    const one = client();
    await one.ask("a");
    proxy.loseReply();
    one.send("b");
    expect(await one.over).toBe("ECONNRESET");
    expect(server.lines).toEqual(["a", "b"]);
    expect(one.chunks.join("")).toBe("a 1\n");
    expect(await client().ask("c")).toBe("c 3");
  });

  it("hits a request that comes over a new connection, and leaves others alone", async () => {
    const other = client();
    await other.ask("a");
    proxy.loseReply();
    const one = client();
    one.send("b");
    expect(await one.over).toBe("ECONNRESET");
    expect(await other.ask("c")).toBe("c 3");
  });

  it("hits as many requests as were asked for", async () => {
    proxy.loseReply();
    proxy.loseReply();
    for (const line of ["a", "b"]) {
      const one = client();
      one.send(line);
      expect(await one.over).toBe("ECONNRESET");
    }
    expect(await client().ask("c")).toBe("c 3");
  });

  it("waits until the server has had all that was sent over the link", async () => {
    await start({ quiet: 300 });
    const one = client();
    await one.ask("a");
    proxy.loseReply();
    one.send("b");
    await served(2);
    one.send("c");
    expect(await one.over).toBe("ECONNRESET");
    expect(server.lines).toEqual(["a", "b", "c"]);
  });

  it("spares what is no request", async () => {
    await start({ isRequest: (bytes) => !Buffer.from(bytes).toString().startsWith("ping") });
    proxy.loseReply();
    const one = client();
    expect(await one.ask("ping")).toBe("ping 1");
    one.send("b");
    expect(await one.over).toBe("ECONNRESET");
  });
});

it("a lost request never reaches the server, and its link is cut", async () => {
  const one = client();
  await one.ask("a");
  proxy.loseRequest();
  one.send("b");
  expect(await one.over).toBe("ECONNRESET");
  expect(await client().ask("c")).toBe("c 2");
  expect(server.lines).toEqual(["a", "c"]);
});

it("a cut resets all clients, and the server's side too", async () => {
  const [one, other] = [client(), client()];
  await one.ask("a");
  await other.ask("b");
  proxy.cut();
  expect(await Promise.all([one.over, other.over])).toEqual(["ECONNRESET", "ECONNRESET"]);
  await expect.poll(() => server.sockets.size, { interval: 1 }).toBe(0);
  expect(proxy.statistics().open).toBe(0);
  expect(await client().ask("c")).toBe("c 3");
});

describe("half-open", () => {
  it("passes nothing and tells nobody, then cuts everything", async () => {
    const one = client();
    await one.ask("a");
    const heal = proxy.halfOpen();
    one.send("b");
    const late = client();
    late.send("c");
    for (const socket of server.sockets) socket.destroy();
    await expect.poll(() => proxy.statistics().connections, { interval: 1 }).toBe(2);
    expect(one.socket.readyState).toBe("open");
    expect(server.lines).toEqual(["a"]);
    heal();
    heal();
    expect(await Promise.all([one.over, late.over])).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(server.lines).toEqual(["a"]);
    expect(await client().ask("d")).toBe("d 2");
  });

  it("holds back an answer that was on its way", async () => {
    const one = client();
    await one.ask("a");
    proxy.delay(20);
    one.send("b");
    await served(2);
    const heal = proxy.halfOpen();
    proxy.delay(0);
    heal();
    expect(await one.over).toBe("ECONNRESET");
    expect(one.chunks.join("")).toBe("a 1\n");
  });
});

it("refuses new clients and keeps those it has", async () => {
  const one = client();
  await one.ask("a");
  const heal = proxy.refuse();
  expect(await client().over).toBe("ECONNRESET");
  expect(await one.ask("b")).toBe("b 2");
  heal();
  expect(await client().ask("c")).toBe("c 3");
  expect(proxy.statistics().connections).toBe(2);
});

it("delays both directions without changing the order", async () => {
  const one = client();
  await one.ask("a");
  proxy.delay(50);
  const start = performance.now();
  for (const line of ["b", "c", "d", "e", "f", "g"]) one.send(line);
  for (const line of ["b 2", "c 3", "d 4", "e 5", "f 6", "g 7"]) expect(await one.answer()).toBe(line);
  expect(performance.now() - start).toBeGreaterThan(95);
  proxy.delay(0);
  expect(await one.ask("h")).toBe("h 8");
});

it("slices to single bytes, in order", async () => {
  const one = client();
  await one.ask("a");
  server.chunks.length = 0;
  one.chunks.length = 0;
  proxy.slice();
  const line = "0123456789".repeat(5);
  expect(await one.ask(line)).toBe(`${line} 2`);
  expect(server.chunks.length).toBeGreaterThan(5);
  expect(one.chunks.length).toBeGreaterThan(5);
  proxy.slice(Infinity);
  expect(await one.ask("b")).toBe("b 3");
  expect(() => proxy.slice(0)).toThrow(RangeError);
});

it("gives a harness its faults as an object, together with the harness's own", async () => {
  const faults = proxy.faults({ restart: () => Promise.resolve() });
  expect(Object.keys(faults).toSorted()).toEqual(["cut", "halfOpen", "loseReply", "loseRequest", "restart"]);
  const one = client();
  await one.ask("a");
  faults.cut?.();
  expect(await one.over).toBe("ECONNRESET");
});

it("closes twice, and its clients with it", async () => {
  const one = client();
  await one.ask("a");
  await Promise.all([proxy.close(), proxy.close()]);
  expect(await one.over).toBe("ECONNRESET");
});
