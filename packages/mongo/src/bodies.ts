/** What pages point at: payloads that are too large for them, and the errors, progress and results of their jobs. */
import { Binary, ObjectId } from "mongodb";
import { isPqError } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { type Body, unpackBody } from "./page/body.ts";
import type { Attachment, PageJob } from "./page/job.ts";
import type { Page } from "./page/page.ts";
import type { BodyDocument } from "./schema.ts";

/** A job in its page. */
export interface Located {
  readonly page: Page;
  readonly job: PageJob;
}

/** What of a job is not in its record. */
export interface Contents extends Body {
  readonly lastError: string | null;
  readonly progress: Buffer | null;
  readonly result: Buffer | null;
}

/** Bytes that a page is going to point at. */
export class Attachments {
  readonly #documents: BodyDocument[] = [];

  /** Keep these bytes; gives their name. */
  add(page: Page, bytes: Uint8Array, now: number): Attachment {
    const name = new ObjectId().toHexString();
    const p = new Binary(bytes);
    this.#documents.push({ _id: attachmentId(page, name), q: page.queue, page: page.id, at: new Date(now), p });
    return name;
  }

  /** Store them. Before the pages: so that none points at nothing. */
  async store(call: Call): Promise<void> {
    const documents = this.#documents.splice(0);
    if (documents.length > 0) await call.write(({ bodies }) => bodies.insertMany(documents, { ordered: false }));
  }
}

/** The documents of the chunks of a put. */
export function chunkDocuments(page: Pick<Page, "id" | "queue" | "at">, chunks: readonly Buffer[]): BodyDocument[] {
  const { id, queue, at } = page;
  return chunks.map((chunk, index) => ({
    _id: `${id}/${index}`,
    q: queue,
    page: id,
    at: new Date(at),
    p: new Binary(chunk),
  }));
}

function attachmentId(page: Page, name: Attachment): string {
  return `${page.id}/${name}`;
}

/**
 * The contents of jobs: of each one in turn, or `undefined` where they are missing or damaged. `pages` found elsewhere since may have
 * been deleted: then all of their contents are missing.
 */
export async function readContents(call: Call, located: readonly Located[]): Promise<(Contents | undefined)[]> {
  const wanted = new Set(located.flatMap(documentsOf));
  const stored = new Map<string, Uint8Array>();
  if (wanted.size > 0) {
    const q = located[0]!.page.queue;
    const found = await call.read(({ bodies }) =>
      bodies.find({ _id: { $in: [...wanted] }, q }, { projection: { p: 1 } }).toArray(),
    );
    for (const { _id, p } of found) stored.set(_id, p.buffer);
  }
  return located.map((each) => contentsOf(each, stored));
}

function documentsOf({ page, job }: Located): string[] {
  const attached = [job.lastError, job.progress, job.result].filter((name) => name !== null);
  const names = attached.map((name) => attachmentId(page, name));
  return page.body === null ? [chunkId(page, job), ...names] : names;
}

function chunkId(page: Page, { index }: PageJob): string {
  return `${page.id}/${Math.floor(index / page.per)}`;
}

function contentsOf({ page, job }: Located, stored: ReadonlyMap<string, Uint8Array>): Contents | undefined {
  const chunk = page.body ?? stored.get(chunkId(page, job));
  const bytes = (name: Attachment | null): Buffer | null | undefined => {
    if (name === null) return null;
    const found = stored.get(attachmentId(page, name));
    return found === undefined ? undefined : Buffer.from(found);
  };
  const [lastError, progress, result] = [bytes(job.lastError), bytes(job.progress), bytes(job.result)];
  if (chunk === undefined) return undefined;
  if (lastError === undefined || progress === undefined || result === undefined) return undefined;
  try {
    const body = unpackBody(chunk, job.index % page.per, job.size);
    return { ...body, lastError: lastError?.toString("utf8") ?? null, progress, result };
  } catch (error) {
    if (isPqError(error, "CORRUPT")) return undefined;
    throw error;
  }
}
