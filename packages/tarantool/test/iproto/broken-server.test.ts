/** Servers that say what they should not, or nothing, or not all of it. No server is needed. */
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { Connection } from "../../src/iproto/connection.ts";
import { ConnectionLost, DecodeError, ServerError } from "../../src/iproto/errors.ts";
import { Connections, type FakeServer, fakeServer, greetingText, LONG, outcome, rejection } from "./support.ts";

const connections = new Connections();
let server: FakeServer | undefined;

afterEach(async () => {
  connections.closeAll();
  await server?.close();
  server = undefined;
});

async function serving(serve: (client: Socket) => void): Promise<FakeServer> {
  return (server = await fakeServer(serve));
}

/** A packet around some bytes. */
function packet(...content: (number | Uint8Array)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === "number" ? Buffer.of(part) : part)));
  return Buffer.concat([Buffer.of(0xcd, bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** A header that answers request number `sync`, which is below 128. */
const header = (type: number, sync: number): Buffer => Buffer.of(0x82, 0, 0xcd, type >> 8, type & 0xff, 1, sync);
/** A body with one value, which is below 128. */
const body = (value: number): Buffer => Buffer.of(0x81, 0x30, 0x91, value);

/** Greets, and answers whatever is asked with these bytes. */
function answering(...answers: Uint8Array[]): (client: Socket) => void {
  return (client) => {
    client.write(greetingText());
    client.on("data", () => client.write(Buffer.concat(answers)));
  };
}

/** Send each byte alone. */
async function drip(client: Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    client.write(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe("a greeting", () => {
  const connect = async (serve: (client: Socket) => void, timeout = LONG): Promise<ConnectionLost> => {
    const error = await rejection(connections.connect(await serving(serve), { timeout }));
    expect(error).toBeInstanceOf(ConnectionLost);
    expect(error).toHaveProperty("sent", false);
    return error as ConnectionLost;
  };

  test("of another program", async () => {
    const error = await connect((client) => client.write("-ERR SECRETBYTES\r\n".padEnd(200)));
    expect(error.message).toContain("does not greet as a Tarantool does");
    expect(error.cause).toBeInstanceOf(DecodeError);
    expect(inspect(error, { depth: 9 })).not.toContain("SECRETBYTES");
  });

  test("that does not come", async () => {
    const began = performance.now();
    expect((await connect(() => undefined, 100)).message).toContain("no connection within 100 ms");
    expect(performance.now() - began).toBeLessThan(LONG / 10);
  });

  test("that ends too early", async () => {
    expect((await connect((client) => client.end("Tarantool 2"))).message).toContain(
      "the server closed the connection",
    );
    await server?.close();
    expect((await connect((client) => client.resetAndDestroy())).message).toContain("ECONNRESET");
  });

  test("that comes byte by byte, as an answer does", async () => {
    const bytes = Buffer.concat([Buffer.from(greetingText()), packet(header(0, 1), body(7))]);
    const address = await serving((client) => {
      drip(client, bytes.subarray(0, 128)).catch(() => undefined);
      client.once("data", () => {
        drip(client, bytes.subarray(128)).catch(() => undefined);
      });
    });
    expect(await (await connections.connect(address)).call("f", [], LONG)).toEqual([7]);
  });

  test("but no answer to the login", async () => {
    const address = await serving((client) => void client.write(greetingText()));
    const login = { user: "somebody", password: "hunter2", timeout: 100 };
    const error = await rejection(connections.connect(address, login));
    expect(error.message).toContain("no connection within 100 ms");
    expect(error).toHaveProperty("sent", false);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("hunter2");
  });
});

describe("a socket", () => {
  test("that cannot be made", async () => {
    const open = (): never => {
      throw new Error("no tunnel");
    };
    const error = await rejection(Connection.connect({ open, user: null, password: null, timeout: LONG }));
    expect(error.message).toBe("cannot connect: no tunnel");
    expect(error).toBeInstanceOf(ConnectionLost);
  });

  test("that nobody listens to", async () => {
    const address = await serving(() => undefined);
    await address.close();
    const error = await rejection(connections.connect(address));
    expect(error.message).toContain("ECONNREFUSED");
    expect(error.cause).toHaveProperty("code", "ECONNREFUSED");
    server = undefined;
  });

  test("that is any stream", async () => {
    const stream = new PassThrough();
    const connecting = Connection.connect({ open: () => stream, user: null, password: null, timeout: LONG });
    stream.push(greetingText());
    const connection = await connecting;
    expect(connection.server).toBe("Tarantool 2.6.0 (Binary)");
    // What is sent comes back, and is no answer.
    expect(await outcome(connection.ping(LONG))).toBe("lost");
    expect(stream.destroyed).toBe(true);
  });
});

describe("packets that nobody waits for are ignored", () => {
  test.each([
    ["answers to nothing", packet(header(0, 99), body(1))],
    ["errors of nothing", packet(header(0x8001, 99), Buffer.of(0x80))],
    ["chunks", packet(header(0x80, 1), body(1))],
    ["events", packet(Buffer.of(0x81, 0, 0x4c), Buffer.of(0x81, 0x57, 0xa1, 0x61))],
  ])("%s", async (_, bytes) => {
    const address = await serving(answering(bytes, bytes, packet(header(0, 1), body(2)), bytes));
    const connection = await connections.connect(address);
    expect(await connection.call("f", [], LONG)).toEqual([2]);
    expect(connection.isOpen).toBe(true);
  });

  test("and so are keys that nobody knows", async () => {
    const odd = Buffer.of(0x84, 0x05, 0xce, 0, 0, 0, 1, 0xa1, 0x61, 0xc0, 0, 0, 1, 1);
    const values = Buffer.of(0x82, 0x7e, 0x93, 1, 0x81, 1, 2, 3, 0x30, 0x91, 5);
    const connection = await connections.connect(await serving(answering(packet(odd, values))));
    expect(await connection.call("f", [], LONG)).toEqual([5]);
  });

  test("and so is what an error says beside its text", async () => {
    const more = Buffer.of(0x82, 0x52, 0x81, 0, 0x91, 0x81, 0, 0xa1, 0x78, 0x31, 0xa2, 0xc3, 0xa9);
    const connection = await connections.connect(await serving(answering(packet(header(0x8007, 1), more))));
    const error = await rejection(connection.call("f", [], LONG));
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ code: 7, message: "é" });
    expect(connection.isOpen).toBe(true);
  });
});

describe("packets that are wrong end the connection", () => {
  const deep = Buffer.concat([Buffer.of(0x81, 0x30), Buffer.alloc(33, 0x91), Buffer.of(1)]);
  test.each([
    ["no length", Buffer.of(0xc1, 1, 2), "not a length"],
    ["too long", Buffer.of(0xce, 0xff, 0, 0, 0), "longer than"],
    ["empty", packet(), "end within a value"],
    ["no map", packet(0x91, 1), "a map was expected"],
    ["no type", packet(Buffer.of(0x81, 1, 1)), "no type"],
    ["an odd type", packet(Buffer.of(0x81, 0, 0xa1, 0x61)), "an unsigned integer was expected"],
    ["a request", packet(header(0x40, 1)), "a type that no answer has"],
    ["an error of no number", packet(header(0x8000, 1)), "a type that no answer has"],
    ["no number", packet(Buffer.of(0x81, 0, 0)), "to what"],
    ["a body that ends early", packet(header(0, 1), body(1).subarray(0, 3)), "longer than the bytes"],
    ["a body that is none", packet(header(0, 1), 0xc0), "a map was expected"],
    ["data that are no array", packet(header(0, 1), Buffer.of(0x81, 0x30, 1)), "not an array"],
    ["more than a body", packet(header(0, 1), body(1), body(1)), "goes on after its end"],
    ["too deep", packet(header(0, 1), deep), "nested"],
  ])("%s", async (_, bytes, why) => {
    const connection = await connections.connect(await serving(answering(bytes)));
    const ended = new Promise<Error>((resolve) => connection.onEnd(resolve));
    const errors = await Promise.all([1, 2, 3].map(() => rejection(connection.call("f", [], LONG))));
    for (const error of errors) {
      expect(error).toBeInstanceOf(ConnectionLost);
      expect(error).toHaveProperty("sent", true);
      expect(error.message).toContain(why);
      expect(error.cause).toBeInstanceOf(DecodeError);
    }
    expect((await ended).message).toContain(why);
    expect(connection.isOpen).toBe(false);
  });

  test("after those that were right", async () => {
    const bytes = Buffer.concat([packet(header(0, 1), body(1)), packet(header(0, 2), body(2)), Buffer.of(0xc1)]);
    const connection = await connections.connect(await serving(answering(bytes)));
    const calls = [1, 2, 3].map(() => outcome(connection.call("f", [], LONG)));
    expect(await Promise.all(calls)).toEqual(["answered", "answered", "lost"]);
  });
});

describe("the end", () => {
  test.each([
    ["in the middle of an answer", packet(header(0, 1), body(1)).subarray(0, 9)],
    ["instead of an answer", Buffer.alloc(0)],
  ])("%s", async (_, bytes) => {
    const address = await serving((client) => {
      client.write(greetingText());
      client.once("data", () => client.end(bytes));
    });
    const connection = await connections.connect(address);
    const error = await rejection(connection.call("f", [], LONG));
    expect(error.message).toBe("the server closed the connection");
    expect(error).toHaveProperty("sent", true);
  });

  test("is told once, also to who asks late, but not of close()", async () => {
    let client: Socket | undefined;
    const address = await serving((socket) => {
      client = socket;
      socket.write(greetingText());
    });
    const connection = await connections.connect(address);
    const reasons: string[] = [];
    connection.onEnd((reason) => reasons.push(reason.message));
    const closing = await connections.connect(address);
    closing.onEnd(() => reasons.push("closed"));
    closing.close();
    closing.close();
    closing.onEnd(() => reasons.push("closed, late"));
    expect([closing.isOpen, connection.isOpen]).toEqual([false, true]);
    connections.closeAll();
    expect(reasons).toEqual([]);

    const lost = await connections.connect(address);
    lost.onEnd((reason) => reasons.push(reason.message));
    client!.destroy();
    expect(await outcome(lost.ping(LONG))).toBe("lost");
    lost.onEnd((reason) => reasons.push(`late: ${reason.message}`));
    lost.close();
    await new Promise(setImmediate);
    expect(reasons).toHaveLength(2);
    expect(reasons[1]).toBe(`late: ${reasons[0]}`);
    expect(await outcome(lost.ping(LONG))).toBe("not sent");
  });
});

test("requests of one turn are written together, whole, and in their order", async () => {
  const chunks: Buffer[] = [];
  const address = await serving((client) => {
    client.write(greetingText());
    client.on("data", (chunk) => chunks.push(chunk));
  });
  const connection = await connections.connect(address);
  const calls = Array.from({ length: 50 }, (_, i) => outcome(connection.call("f", [i], LONG)));
  // Calls made in promises that are settled within the same turn come along.
  await Promise.resolve();
  calls.push(outcome(connection.call("f", ["last"], LONG)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(chunks).toHaveLength(1);
  expect(chunks[0]!.subarray(-4).toString()).toBe("last");
  connection.close();
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["lost"]));
});
