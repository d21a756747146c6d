/** Processes that are killed. */
import { Socket } from "node:net";
import type { TarantoolOptions } from "../src/index.ts";

/** A process, as the server sees it: its sockets, which end with it, in the way that the system chooses. */
export class Process {
  readonly #sockets = new Set<Socket>();
  #isDead = false;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  get options(): TarantoolOptions {
    return { connect: () => this.#connect() };
  }

  /** It is killed. What it had not read yet makes the system reset the connection. */
  die(way: "end" | "reset"): void {
    this.#isDead = true;
    for (const socket of this.#sockets) {
      if (way === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  #connect(): Socket {
    if (this.#isDead) throw new Error("dead");
    const socket = new Socket().connect(this.#port, "127.0.0.1");
    this.#sockets.add(socket);
    return socket;
  }
}
