/**
 * The commands that this package sends, on documents in memory. A command that reads or writes several documents does so one after the other, each
 * in a step of its own, as MongoDB may; what stands in for MongoDB runs a command as a whole. It knows no more than is needed here and
 * throws for the rest: that real servers do the same with these commands is shown by all other tests.
 */
import { Binary } from "mongodb";
import type { Collections } from "../src/schema.ts";

type Doc = Record<string, unknown>;
type Filter = Doc;
type Update = Readonly<Record<string, Doc>>;

/** Waits until one document may be read or written. */
export type Step = () => Promise<void>;

/** What a server answers to a document that is there already. */
class DuplicateKey extends Error {
  override readonly name = "MongoServerError";
  readonly code = 11_000;
}

/** All collections of a database. */
export class MemoryStore {
  /** ms since 1970. */
  now = 1_000_000;
  /** How many documents were written. */
  writes = 0;
  readonly #documents = new Map<string, Map<string, Doc>>();
  /** The order in which the documents of one command have their turns. */
  readonly shuffle: <T>(values: readonly T[]) => T[];

  constructor(shuffle: <T>(values: readonly T[]) => T[]) {
    this.shuffle = shuffle;
  }

  /** The collections as one process sees them. */
  collections(step: Step): Collections {
    const names = ["pages", "bodies", "heads", "admissions", "lanes", "groups", "controls", "meta"];
    const all = names.map((name) => [name, new MemoryCollection(this, name, step)] as const);
    return Object.fromEntries(all) as unknown as Collections;
  }

  /** The documents of a collection, to look at and to change. */
  documents(name: string): Map<string, Doc> {
    let found = this.#documents.get(name);
    if (found === undefined) this.#documents.set(name, (found = new Map<string, Doc>()));
    return found;
  }
}

interface Written {
  readonly matchedCount: number;
  readonly upsertedCount: number;
  readonly document: Doc | null;
}

interface Operation {
  readonly insertOne?: { readonly document: Doc };
  readonly updateOne?: { readonly filter: Filter; readonly update: Update; readonly upsert?: boolean };
  readonly deleteOne?: { readonly filter: Filter };
}

class MemoryCollection {
  readonly #store: MemoryStore;
  readonly #name: string;
  readonly #step: Step;

  constructor(store: MemoryStore, name: string, step: Step) {
    this.#store = store;
    this.#name = name;
    this.#step = step;
  }

  async insertOne(document: Doc): Promise<void> {
    await this.#step();
    this.#insert(document);
  }

  async insertMany(documents: readonly Doc[]): Promise<void> {
    for (const document of documents) await this.insertOne(document);
  }

  async updateOne(filter: Filter, update: Update, { upsert = false } = {}): Promise<Written> {
    await this.#step();
    return this.#update(filter, update, upsert);
  }

  async findOneAndUpdate(filter: Filter, update: Update, { upsert = false } = {}): Promise<Doc | null> {
    await this.#step();
    return copy(this.#update(filter, update, upsert).document);
  }

  async deleteOne(filter: Filter): Promise<{ readonly deletedCount: number }> {
    await this.#step();
    return { deletedCount: this.#delete(filter) };
  }

  async findOne(filter: Filter): Promise<Doc | null> {
    await this.#step();
    return copy(this.#matching(filter)[0] ?? null);
  }

  async bulkWrite(operations: readonly Operation[]): Promise<Record<string, number>> {
    const counts = { insertedCount: 0, matchedCount: 0, upsertedCount: 0, deletedCount: 0 };
    let failed: DuplicateKey | undefined;
    for (const { insertOne, updateOne, deleteOne } of this.#store.shuffle(operations)) {
      await this.#step();
      try {
        if (insertOne !== undefined) {
          this.#insert(insertOne.document);
          counts.insertedCount++;
        }
        if (updateOne !== undefined) {
          const { filter, update, upsert = false } = updateOne;
          const { matchedCount, upsertedCount } = this.#update(filter, update, upsert);
          counts.matchedCount += matchedCount;
          counts.upsertedCount += upsertedCount;
        }
        if (deleteOne !== undefined) counts.deletedCount += this.#delete(deleteOne.filter);
      } catch (error) {
        if (!(error instanceof DuplicateKey)) throw error;
        failed = error;
      }
    }
    if (failed !== undefined) throw failed;
    return counts;
  }

  find(filter: Filter): Cursor {
    return new Cursor((sort, limit) => this.#read(filter, sort, limit));
  }

  aggregate(stages: readonly Readonly<Record<string, unknown>>[]): Cursor {
    const {
      $match = {},
      $sort,
      $limit,
      $group,
      $project,
      $addFields,
    } = Object.assign({}, ...stages) as Record<string, Doc>;
    const withNow = ($project ?? $addFields)?.["now"] !== undefined;
    return new Cursor(async () => {
      const found = await this.#read($match, $sort as Sort | undefined, $limit as number | undefined);
      if ($group !== undefined) return found.length === 0 ? [] : [this.#sum($group, found)];
      return withNow ? found.map((document) => ({ ...document, now: new Date(this.#store.now) })) : found;
    });
  }

  // ---- at once ----------------------------------------------------------------------------------------------------

  get #all(): Map<string, Doc> {
    return this.#store.documents(this.#name);
  }

  #matching(filter: Filter): Doc[] {
    return [...this.#all.values()].filter((document) => matches(document, filter, this.#store.now));
  }

  /** With a limit as it is at one moment, since an index is read; else document by document. */
  async #read(filter: Filter, sort: Sort | undefined, limit: number | undefined): Promise<Doc[]> {
    await this.#step();
    if (sort !== undefined || limit !== undefined) {
      const sorted = this.#matching(filter).toSorted((a, b) => compareBy(sort ?? {}, a, b));
      return sorted.slice(0, limit).map(copy);
    }
    const found: Doc[] = [];
    for (const [at, { _id }] of this.#store.shuffle(this.#matching(filter)).entries()) {
      if (at > 0) await this.#step();
      const document = this.#all.get(_id as string);
      if (document !== undefined && matches(document, filter, this.#store.now)) found.push(copy(document));
    }
    return found;
  }

  #sum(group: Doc, documents: readonly Doc[]): Doc {
    const sums = Object.entries(group).flatMap(([name, sum]) => {
      if (name === "_id") return [];
      const values = documents.map((document) => valueOf((sum as Doc)["$sum"], document, this.#store.now));
      return [[name, values.reduce((total: number, value) => total + (value as number), 0)]];
    });
    return Object.fromEntries(sums) as Doc;
  }

  #insert(document: Doc): void {
    if (this.#all.has(document["_id"] as string)) throw new DuplicateKey("E11000");
    if (this.#name === "pages") this.#checkNames(document);
    this.#all.set(document["_id"] as string, copy(document));
    this.#store.writes++;
  }

  #checkNames({ q, names }: Doc): void {
    const taken = new Set((names as unknown[]).map(keyOf));
    const others = [...this.#all.values()].filter((other) => other["q"] === q);
    if (others.some((other) => (other["names"] as unknown[]).some((name) => taken.has(keyOf(name))))) {
      throw new DuplicateKey("E11000");
    }
  }

  #update(filter: Filter, update: Update, upsert: boolean): Written {
    const [found] = this.#matching(filter);
    if (found !== undefined) {
      this.#change(found, update, false);
      return { matchedCount: 1, upsertedCount: 0, document: found };
    }
    if (!upsert) return { matchedCount: 0, upsertedCount: 0, document: null };
    const document: Doc = Object.fromEntries(Object.entries(filter).filter(([, value]) => !isOperator(value)));
    this.#change(document, update, true);
    this.#insert(document);
    return { matchedCount: 0, upsertedCount: 1, document };
  }

  #change(document: Doc, update: Update, isNew: boolean): void {
    this.#store.writes++;
    for (const [operator, fields] of Object.entries(update)) {
      for (const [path, value] of Object.entries(fields)) {
        if (operator === "$setOnInsert" && !isNew) continue;
        setPath(document, path, changed(operator, getPath(document, path), copy(value), this.#store.now));
      }
    }
  }

  #delete(filter: Filter): number {
    const [found] = this.#matching(filter);
    if (found === undefined) return 0;
    this.#all.delete(found["_id"] as string);
    this.#store.writes++;
    return 1;
  }
}

type Sort = Readonly<Record<string, 1 | -1>>;

class Cursor {
  readonly #run: (sort?: Sort, limit?: number) => Promise<Doc[]>;
  #sort: Sort | undefined;
  #limit: number | undefined;
  #read: Doc[] | undefined;

  constructor(run: (sort?: Sort, limit?: number) => Promise<Doc[]>) {
    this.#run = run;
  }

  sort(sort: Sort): this {
    this.#sort = sort;
    return this;
  }

  limit(limit: number): this {
    this.#limit = limit;
    return this;
  }

  toArray(): Promise<Doc[]> {
    return this.#run(this.#sort, this.#limit);
  }

  async hasNext(): Promise<boolean> {
    this.#read ??= await this.toArray();
    return this.#read.length > 0;
  }

  readBufferedDocuments(): Doc[] {
    return this.#read?.splice(0) ?? [];
  }

  async close(): Promise<void> {}
}

/** The new value of a field. */
function changed(operator: string, before: unknown, value: unknown, now: number): unknown {
  switch (operator) {
    case "$set":
    case "$setOnInsert":
      return value;
    case "$unset":
      return undefined;
    case "$inc":
      return ((before as number | undefined) ?? 0) + (value as number);
    case "$min":
      return before === undefined || compare(value, before) < 0 ? value : before;
    case "$currentDate":
      return new Date(now);
    case "$pull":
      return (before as unknown[]).filter((each) => !holds(each, value));
    case "$addToSet": {
      const old = (before as unknown[] | undefined) ?? [];
      return [...old, ...(value as { $each: unknown[] }).$each.filter((each) => !old.some((one) => holds(one, each)))];
    }
    default:
      throw new Error(`no update with ${operator}`);
  }
}

function matches(document: Doc, filter: Filter, now: number): boolean {
  return Object.entries(filter).every(([path, wanted]) => {
    if (path === "$expr") return Boolean(valueOf(wanted, document, now));
    if (path === "$or") return (wanted as Filter[]).some((each) => matches(document, each, now));
    const value = getPath(document, path);
    return Array.isArray(value) && !isOperator(wanted)
      ? value.some((each) => holds(each, wanted))
      : holds(value, wanted);
  });
}

/** Does a value meet a condition? An array does when one of its values does. */
function holds(value: unknown, wanted: unknown): boolean {
  if (!isOperator(wanted)) return value !== undefined && keyOf(value) === keyOf(wanted);
  return Object.entries(wanted as Doc).every(([operator, other]) => {
    switch (operator) {
      case "$in":
        return (other as unknown[]).some((each) => [value].flat().some((one) => holds(one, each)));
      case "$exists":
        return (value !== undefined) === other;
      case "$ne":
        return !holds(value, other);
      case "$lte":
        return value !== undefined && compare(value, other) <= 0;
      default:
        throw new Error(`no condition with ${operator}`);
    }
  });
}

/** The value of an expression. */
function valueOf(expression: unknown, document: Doc, now: number): unknown {
  if (expression === "$$NOW") return new Date(now);
  if (typeof expression === "string" && expression.startsWith("$")) return getPath(document, expression.slice(1));
  if (!isOperator(expression)) return expression;
  const [[operator, given] = ["", []]] = Object.entries(expression as Doc);
  const values = (given as unknown[]).map((each) => valueOf(each, document, now));
  switch (operator) {
    case "$lt":
      return compare(values[0], values[1]) < 0;
    case "$eq":
      return keyOf(values[0]) === keyOf(values[1]);
    case "$and":
      return values.every(Boolean);
    case "$not":
      return values[0] !== true;
    case "$cond":
      return values[0] ? values[1] : values[2];
    case "$add":
      return (values as number[]).reduce((sum, value) => sum + value, 0);
    default:
      throw new Error(`no expression with ${operator}`);
  }
}

function isOperator(value: unknown): boolean {
  if (value === null || typeof value !== "object" || value instanceof Date || value instanceof Binary) return false;
  return Object.keys(value).some((name) => name.startsWith("$"));
}

function compareBy(sort: Sort, a: Doc, b: Doc): number {
  for (const [path, direction] of Object.entries(sort)) {
    const order = compare(getPath(a, path), getPath(b, path)) * direction;
    if (order !== 0) return order;
  }
  return 0;
}

/** The order of values of one type. */
function compare(a: unknown, b: unknown): number {
  if (a instanceof Binary && b instanceof Binary) return Buffer.compare(a.buffer, b.buffer);
  return Number(a) - Number(b);
}

function keyOf(value: unknown): string {
  if (value instanceof Binary) return `binary ${value.toString("hex")}`;
  return `${typeof value} ${String(value instanceof Date ? value.getTime() : value)}`;
}

function getPath(document: Doc, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value as Doc | undefined)?.[name], document);
}

function setPath(document: Doc, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  let place = document;
  for (const name of names) place = (place[name] ??= {}) as Doc;
  if (value === undefined) delete place[last];
  else place[last] = value;
}

function copy<T>(value: T): T {
  if (value instanceof Binary) return new Binary(Buffer.from(value.buffer)) as T;
  if (value instanceof Date) return new Date(value) as T;
  if (Array.isArray(value)) return value.map(copy) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, copy(each)])) as T;
}
