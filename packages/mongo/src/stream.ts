/**
 * What others do to pages, where the server has change streams: one stream for each backend that waits. It is a hint to look at once, and
 * nothing depends on it: what is missed is found a little later, and a stream that fails is none.
 */
import type { ChangeStream, Document } from "mongodb";
import { type Clock, type OpenParams, systemClock } from "@pq/core/backend";
import type { Connection } from "./connection.ts";
import { callError } from "./errors.ts";
import { hashOf, type PageDocument } from "./schema.ts";

/** A stream that failed is tried again after so long, in ms. */
const RETRY = 30_000;

/** What is heard of the pages of a queue. */
export interface News {
  /** One may have a job to give: one that it had not before, or something was missed. */
  readonly ready: boolean;
  /** When something happens in one by itself, ms since 1970 by the server's clock; `undefined`: that did not change. */
  readonly wake: number | undefined;
}

/** What a stream needs of its backend. */
export interface StreamParts {
  readonly connection: Pick<Connection, "address" | "call">;
  readonly report: OpenParams["report"];
  /** The server says after so many ms that nothing has changed: sooner than the connection counts as lost. */
  readonly silence: number;
  readonly clock?: Clock;
}

/** A change, as `CHANGES` makes it. */
interface Change extends Document {
  readonly documentKey: Pick<PageDocument, "_id">;
  readonly ready: boolean;
  readonly wake?: Date;
}

const INSERTED = "fullDocument";
const UPDATED = "updateDescription.updatedFields";

/** Pages that have another first job, or another next moment, than before. */
export const CHANGES: Document[] = [
  {
    $match: {
      operationType: { $in: ["insert", "update"] },
      $or: [INSERTED, UPDATED].flatMap((fields) =>
        ["next", "wake"].map((field) => ({ [`${fields}.${field}`]: { $exists: true } })),
      ),
    },
  },
  {
    $project: {
      documentKey: 1,
      ready: { $gt: [{ $ifNull: [`$${INSERTED}.next`, `$${UPDATED}.next`] }, null] },
      wake: { $ifNull: [`$${INSERTED}.wake`, `$${UPDATED}.wake`] },
    },
  },
];

/** The change stream of one backend. */
export class PageStream {
  readonly #parts: StreamParts;
  readonly #clock: Clock;
  /** By the hash of the queue, with which the ids of its pages begin. */
  readonly #listeners = new Map<string, (news: News) => void>();
  #stream: ChangeStream<PageDocument, Change> | undefined;
  #up = false;
  #warned = false;
  #closed = false;

  /** Nothing happens before the first `listen`. */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** Are changes being told? */
  get up(): boolean {
    return this.#up;
  }

  /** Tell of the pages of this queue from now on. A queue has one listener. */
  listen(queue: string, listener: (news: News) => void): void {
    this.#listeners.set(hashOf(queue), listener);
    if (this.#listeners.size === 1) this.#start();
  }

  /** Nobody is told anything any more. The server hears of it soon, if it can be reached. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#listeners.clear();
    this.#stream?.close().catch(() => undefined);
  }

  #start(): void {
    if (!this.#closed) this.#follow().catch((error: unknown) => this.#failed(error));
  }

  /** Until it fails or is closed. The driver itself goes on after a lost connection. */
  async #follow(): Promise<void> {
    const { connection, silence } = this.#parts;
    const stream = await connection
      .call("read")
      .read(async ({ pages }) =>
        pages.watch<PageDocument, Change>(CHANGES, { maxAwaitTimeMS: silence, readConcern: { level: "majority" } }),
      );
    if (this.#closed) return stream.close();
    this.#stream = stream;
    stream.on("error", () => undefined);
    stream.on("resumeTokenChanged", () => this.#began());
    for await (const { documentKey, ready, wake } of stream) {
      const [queue = ""] = documentKey._id.split(":", 1);
      this.#listeners.get(queue)?.({ ready, wake: wake?.getTime() });
    }
  }

  /** The first answer: what was changed before it was not told. */
  #began(): void {
    if (this.#up || this.#closed) return;
    this.#up = true;
    this.#warned = false;
    this.#tellAll();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    this.#up = false;
    const { message } = callError(error, this.#parts.connection.address, false);
    if (!this.#warned) {
      this.#parts.report({ type: "warning", message: `changes cannot be watched, so waiting looks often: ${message}` });
    }
    this.#warned = true;
    this.#clock.timer(RETRY, () => this.#start(), { background: true });
    this.#tellAll();
  }

  #tellAll(): void {
    for (const listener of this.#listeners.values()) listener({ ready: true, wake: undefined });
  }
}
