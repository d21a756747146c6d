/** What commands ask for, without their values: to know by which index each of them is to be served. */
import type { CommandStartedEvent, Document } from "mongodb";

/** One query, or one change, as it was sent. */
export interface Statement {
  /** The collection, without its prefix. */
  readonly collection: string;
  /** Such as `pages aggregate next:$exists q sort next limit`. */
  readonly shape: string;
  readonly filter: Document;
  readonly hint: string | undefined;
  /** The command that does this alone, as `explain` takes it. */
  readonly command: Document;
}

/** What a command that looks for something may have. */
interface Sent extends Selection {
  readonly filter: Document;
  readonly query: Document;
  readonly pipeline: readonly Document[];
  readonly updates: readonly { readonly q: Document }[];
  readonly deletes: readonly { readonly q: Document }[];
}

/** The statements of a command. Insertions have none, since they look for nothing. */
export function statementsOf({ commandName, command }: CommandStartedEvent): Statement[] {
  const sent = command as Sent;
  const on = `${String(command[commandName])} ${commandName}`;
  switch (commandName) {
    case "find":
      return [statement(on, sent.filter, pick(command, "find", "filter", "sort", "limit", "hint", "projection"), sent)];
    case "aggregate": {
      if ("$changeStream" in sent.pipeline[0]!) return [];
      const { $match, $sort, $limit } = Object.assign({}, ...sent.pipeline) as Stages;
      const selection = { sort: $sort, limit: $limit, hint: sent.hint };
      return [statement(on, $match, { ...pick(command, "aggregate", "pipeline", "hint"), cursor: {} }, selection)];
    }
    case "update":
      return sent.updates.map((each) => statement(on, each.q, { ...pick(command, "update"), updates: [each] }));
    case "delete":
      return sent.deletes.map((each) => statement(on, each.q, { ...pick(command, "delete"), deletes: [each] }));
    case "findAndModify":
      return [statement(on, sent.query, pick(command, "findAndModify", "query", "update", "upsert", "new", "fields"))];
    default:
      return [];
  }
}

/** In what order, how many, and by which index. */
interface Selection {
  readonly sort?: Document | Map<string, unknown> | undefined;
  readonly limit?: number | undefined;
  readonly hint?: string | undefined;
}

/** Stages of which a pipeline has one at most. */
interface Stages {
  readonly $match: Document;
  readonly $sort?: Document;
  readonly $limit?: number;
}

/** How many values are named in a filter, of which each is found by itself; at least 1. */
export function pointsOf(filter: Document): number {
  const lengths = Object.values(filter).map((value: unknown) => {
    return isDocument(value) && Array.isArray(value["$in"]) ? value["$in"].length : 1;
  });
  return Math.max(1, ...lengths);
}

/** `on`: the collection, with its prefix, and what is done. */
function statement(on: string, filter: Document, command: Document, selection: Selection = {}): Statement {
  const { sort, limit, hint } = selection;
  const words = [on.slice(on.indexOf(".") + 1), textOf(filter)];
  if (sort !== undefined) words.push("sort", ...namesOf(sort));
  if (limit !== undefined) words.push("limit");
  if (hint !== undefined) words.push("hint", hint);
  const shape = words.join(" ");
  return { collection: shape.split(" ", 1)[0]!, shape, filter, hint, command };
}

/** The fields of a filter in the order of their names, each with its operators: `_id:$in q`. */
function textOf(filter: Document): string {
  const words = Object.entries(filter).map(([field, value]: [string, unknown]) => {
    if (field === "$expr" || !isDocument(value)) return field;
    const operators = namesOf(value).filter((name) => name.startsWith("$"));
    return operators.length === 0 ? field : `${field}:${operators.join()}`;
  });
  return words.toSorted().join(" ");
}

function namesOf(sort: Document | Map<string, unknown>): string[] {
  return sort instanceof Map ? [...sort.keys()] : Object.keys(sort);
}

function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** These fields of a document, as far as it has them. */
function pick(document: Document, ...names: readonly string[]): Document {
  const entries = Object.entries(document).filter(([name, value]) => names.includes(name) && value !== undefined);
  return Object.fromEntries(entries);
}
