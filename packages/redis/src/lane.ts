/** One connection to one server, and what is in flight on it. */
import type { Cluster, Redis } from "ioredis";
import { PqError } from "@pq/core/backend";
import { type Call, Calls } from "./calls.ts";
import type { Confirmation } from "./confirmation.ts";
import { callError, serverError } from "./errors.ts";
import type { Script } from "./scripts/script.ts";

/** What a command takes. */
export type Argument = string | Buffer;

/** A lane, over a client of ioredis. */
export class Lane {
  readonly client: Redis | Cluster;
  readonly address: string;
  readonly #calls: Calls;
  readonly #timeout: number;
  #confirming: Promise<void> | undefined;

  /** `onLate` is called when the connection gave no answer in time, after all calls were rejected: it is to be made anew. */
  constructor(client: Redis | Cluster, address: string, timeout: number, onLate: () => void) {
    this.client = client;
    this.address = address;
    this.#timeout = timeout;
    this.#calls = new Calls(timeout, () => {
      this.lose(`no answer from ${address} within ${timeout} ms`);
      onLate();
    });
  }

  /** Can be written to. */
  get usable(): boolean {
    // Until it says that it is closed, a connection that has failed still counts as ready.
    const { stream } = this.client as { readonly stream?: { readonly writable: boolean } };
    return this.client.status === "ready" && stream?.writable !== false;
  }

  /** Resolve once nothing is in flight. */
  idle(): Promise<void> {
    return this.#calls.idle();
  }

  /** Run a script by its hash, or by its text when the server does not know it: then nothing ran, and it is safe to ask again. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.#calls.begin(reject);
      this.#send("evalsha", [script.sha, String(keys.length), ...keys, ...args]).then(
        (value) => {
          if (this.#calls.end(call)) resolve(value);
        },
        (error: unknown) => {
          if (call.open && isUnknownScript(error)) this.#runText(script, keys, args, { call, resolve });
          else this.#fail(call, error, script.name);
        },
      );
    });
  }

  /** Any other command. */
  command(name: string, args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.#calls.begin(reject);
      this.#send(name, args).then(
        (value) => {
          if (this.#calls.end(call)) resolve(value);
        },
        (error: unknown) => this.#fail(call, error),
      );
    });
  }

  /**
   * Resolve once everything that was answered up to now is as safe as the confirmation asks. Calls of one turn share it.
   * Rejects with `OUTCOME_UNKNOWN` when it is not, or cannot be known.
   */
  confirm(confirmation: Confirmation): Promise<void> {
    this.#confirming ??= new Promise((resolve, reject) => {
      queueMicrotask(() => {
        this.#confirming = undefined;
        this.#confirm(confirmation).then(resolve, reject);
      });
    });
    return this.#confirming;
  }

  /** The connection is gone: all calls in flight end at once, as of unknown outcome. */
  lose(message: string): void {
    this.#calls.fail(() => new PqError("OUTCOME_UNKNOWN", message));
  }

  /** No more calls will come. */
  stop(message: string): void {
    this.lose(message);
    this.#calls.stop();
  }

  #runText(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    { call, resolve }: { readonly call: Call; readonly resolve: (value: unknown) => void },
  ): void {
    this.#send("eval", [script.source, String(keys.length), ...keys, ...args]).then(
      (value) => {
        if (this.#calls.end(call)) resolve(value);
      },
      (error: unknown) => this.#fail(call, error, script.name),
    );
  }

  /** Arguments go as one array: as parameters, a large batch of them would overflow the stack. */
  #send(name: string, args: readonly Argument[]): Promise<unknown> {
    try {
      return this.client.callBuffer(name, args as Argument[]);
    } catch (error) {
      return Promise.reject(callError(error, this.address));
    }
  }

  #fail(call: Call, error: unknown, script?: string): void {
    if (this.#calls.end(call)) call.reject(callError(error, this.address, script));
  }

  async #confirm({ name, args, missing }: Confirmation): Promise<void> {
    // The server gives up before we do, so that it can still tell how far it came.
    const patience = String(Math.ceil(this.#timeout / 2));
    const reply = await this.command(name, [...args, patience]).catch((error: unknown) => {
      throw new PqError("OUTCOME_UNKNOWN", `applied, but ${name} failed: ${callError(error, this.address).message}`);
    });
    const lack = missing(reply);
    if (lack !== undefined) throw new PqError("OUTCOME_UNKNOWN", `applied, but not confirmed in time: ${lack}`);
  }
}

function isUnknownScript(error: unknown): boolean {
  return (
    error instanceof Error && error.message.startsWith("NOSCRIPT") && serverError(error.message).word === "NOSCRIPT"
  );
}
