/**
 * What the errors of the driver and the replies of a server mean for a call: was it applied or not?
 *
 * | the error of a command | a write of it |
 * |---|---|
 * | no server was found, no connection made or free, the driver refuses the arguments | was not applied: it was never sent |
 * | the server refuses the command as a whole: no primary, no right, wrong login, overload | was not applied |
 * | the document is too large | was not applied: `PAYLOAD_TOO_LARGE` |
 * | anything else: the connection lost, a time over, the write concern not met, an interruption | may have been applied |
 *
 * Where the client repeats writes by itself (a borrowed one may), the error is that of the last try, and says nothing of the first.
 * Errors are told apart by name: a borrowed client may be of another copy of the driver.
 */
import { isPqError, PqError } from "@pq/core/backend";
import { MongoError } from "mongodb";

/** No answer came by the call's own deadline. */
export class LateError extends Error {
  override readonly name = "LateError";
}

/** The driver's error for a client that its owner has closed. */
const CLOSED_CLIENT = "MongoNotConnectedError";

/** Errors of the driver that come before anything is sent. */
const UNSENT: ReadonlySet<string> = new Set([
  "MongoServerSelectionError",
  "MongoWaitQueueTimeoutError",
  "MongoPoolClearedError",
  "MongoPoolClosedError",
  "MongoServerClosedError",
  "MongoTopologyClosedError",
  CLOSED_CLIENT,
  "MongoInvalidArgumentError",
  "MongoCompatibilityError",
  "MongoExpiredSessionError",
  "MongoTransactionError",
  "MongoMissingCredentialsError",
  "BSONError",
  "BSONVersionError",
]);

/**
 * Labels of commands that were not executed: by the driver for a connection that it could not make, and by servers. The last one also
 * speaks of the tries before it: of those that failed, the driver passes on the one without it.
 */
const UNSENT_LABELS = ["HandshakeError", "RetryableError"] as const;
const NO_WRITES = "NoWritesPerformed";

/** Errors of the driver for a connection that broke off. */
const LOST: ReadonlySet<string> = new Set([
  "MongoNetworkError",
  "MongoNetworkTimeoutError",
  "PoolClearedOnNetworkError",
  "MongoClientClosedError",
]);

/** What refuses a command as a whole, before it changed anything, and what helps. */
const REFUSALS: Readonly<Record<number, string>> = {
  13: "its user lacks rights: give it readWrite on the database",
  18: "username or password are wrong",
  8000: "username or password are wrong",
  10_107: "it is not the primary: connect to the replica set, without directConnection",
  13_435: "it is not the primary: connect to the replica set, without directConnection",
};

/** Codes for documents over the server's limit, and the texts for it that have no code of their own. */
const TOO_LARGE: ReadonlySet<number> = new Set([10_334, 17_419, 17_420]);
const TOO_LARGE_TEXT = /object to insert too large|larger than the maximum size|BSONObjectTooLarge/;
/** The server's limit for a document, in bytes. */
const MAX_DOCUMENT = 16 * 1024 * 1024;

const DUPLICATE_KEY = 11_000;
const LONGEST_TEXT = 160;

/** Is this the answer to a write that would have made a second document of a unique key? */
export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === DUPLICATE_KEY;
}

/** The number of the server's error that this is or comes from. */
export function codeOf(error: unknown): number | undefined {
  for (const each of chain(error)) if ("code" in each && typeof each.code === "number") return each.code;
  return undefined;
}

/** Is it certain that the write which ended so was not applied? `repeats`: the client may have sent it more than once. */
export function notApplied(error: unknown, repeats: boolean): boolean {
  if (isPqError(error) || isTooLarge(error) || hasLabel(error, NO_WRITES)) return true;
  if (!(error instanceof Error) || repeats) return false;
  return isUnsent(error) || Object.hasOwn(REFUSALS, codeOf(error) ?? 0);
}

function isUnsent(error: Error): boolean {
  return UNSENT.has(error.name) || UNSENT_LABELS.some((label) => hasLabel(error, label));
}

/** What an error of one command means for its call. `unknown`: something of the call was, or may have been, applied. */
export function callError(error: unknown, address: string, unknown: boolean): PqError {
  const code = unknown ? "OUTCOME_UNKNOWN" : "UNAVAILABLE";
  if (isPqError(error)) return unknown && error.code === "CLOSED" ? new PqError(code, error.message) : error;
  if (error instanceof LateError) return new PqError(code, `${address}: ${error.message}`);
  const cause = bare(error);
  if (isTooLarge(error)) return new PqError("PAYLOAD_TOO_LARGE", `${address}: ${tooLarge(error)}`, { cause });
  const sent = error instanceof Error && isUnsent(error) ? "not sent: " : "";
  return new PqError(code, `${address}: ${sent}${reasonFor(error)}`, { cause });
}

/** Why there is no connection. */
export function connectError(error: unknown, address: string): PqError {
  if (isPqError(error)) return error;
  const cause = bare(error);
  const old = tooOld(error);
  if (old !== undefined) return new PqError("UNSUPPORTED", `${address}: ${cut(old)}`, { cause });
  return new PqError("UNAVAILABLE", `cannot connect to ${address}: ${reasonFor(error)}`, { cause });
}

/** Will connecting fail until somebody mends something? Then waiting is of no use. */
export function isFatal(error: unknown): boolean {
  const code = codeOf(error);
  if (code === 18 || code === 8000 || (error instanceof Error && error.name === CLOSED_CLIENT)) return true;
  return /CERT|SIGNATURE/.test(systemCodeOf(error) ?? "") || tooOld(error) !== undefined;
}

/** The driver's words for a server that it does not support. */
function tooOld(error: unknown): string | undefined {
  return chain(error).find(({ name }) => name === "MongoCompatibilityError")?.message;
}

/**
 * The same without what the driver adds: replies, documents, the topology. Still a `MongoError` of the same copy of the driver, with its
 * labels: by these `withTransaction` decides whether to run again.
 */
function bare(error: unknown): MongoError {
  const plain = new (baseOf(error))(cut(error instanceof Error ? error.message : "unknown error"));
  const [first] = chain(error);
  if (first !== undefined) Object.defineProperty(plain, "name", { value: first.name });
  const code = codeOf(error) ?? systemCodeOf(error);
  if (code !== undefined) plain.code = code;
  for (const label of labelsOf(error)) plain.addErrorLabel(label);
  return plain;
}

/** A duplicate key within a transaction: another was quicker, and the transaction may well be run again. */
export function lostRace(error: unknown): PqError {
  const cause = bare(error);
  cause.addErrorLabel("TransientTransactionError");
  return new PqError("UNAVAILABLE", "another put was quicker to take an id or key of this one", { cause });
}

/** The class `MongoError` that this error is of; ours for any other. */
function baseOf(error: unknown): typeof MongoError {
  for (let each: unknown = error; typeof each === "object" && each !== null; each = Object.getPrototypeOf(each)) {
    if (each.constructor.name === "MongoError") return each.constructor as typeof MongoError;
  }
  return MongoError;
}

function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // The driver writes a document into a buffer of 17 MB.
  if (error instanceof RangeError && "code" in error && error.code === "ERR_OUT_OF_RANGE") return true;
  return TOO_LARGE.has(codeOf(error) ?? 0) || TOO_LARGE_TEXT.test(error.message);
}

function tooLarge(error: unknown): string {
  const [, size] = /size(?: in bytes)?: (\d+)/.exec(error instanceof Error ? error.message : "") ?? [];
  const what = size === undefined ? "a document" : `a document of ${Number(size).toLocaleString("en")} bytes`;
  return `${what} is larger than the server's limit of ${MAX_DOCUMENT.toLocaleString("en")} bytes`;
}

function reasonFor(error: unknown): string {
  const text = cut(error instanceof Error ? error.message : "unknown error");
  const code = codeOf(error);
  if (code !== undefined) return Object.hasOwn(REFUSALS, code) ? `${REFUSALS[code]} (${code})` : `${text} (${code})`;
  const system = systemCodeOf(error);
  const named = system === undefined ? "" : ` (${system})`;
  if (wasLost(error, system)) return `the connection was lost before the answer${named}`;
  return `${networkHelp(system) ?? text}${named}`;
}

function wasLost(error: unknown, system: string | undefined): boolean {
  if (!(error instanceof Error) || isUnsent(error)) return false;
  return system !== undefined || LOST.has(error.name);
}

function networkHelp(code: string | undefined): string | undefined {
  switch (code) {
    case "ECONNREFUSED":
    case "ENOENT":
      return "does the server run, and is the address right?";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "its name cannot be resolved";
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "nothing answers there";
    default:
      return undefined;
  }
}

/** The error and what caused it, at most five deep. */
function chain(error: unknown): Error[] {
  const all: Error[] = [];
  for (let each = error; each instanceof Error && all.length < 5; each = each.cause) all.push(each);
  return all;
}

/** Such as `ECONNREFUSED`. */
function systemCodeOf(error: unknown): string | undefined {
  for (const each of chain(error)) if ("code" in each && typeof each.code === "string") return each.code;
  return undefined;
}

function labelsOf(error: unknown): readonly string[] {
  if (!(error instanceof Error) || !("errorLabels" in error) || !Array.isArray(error.errorLabels)) return [];
  return error.errorLabels.filter((label) => typeof label === "string");
}

function hasLabel(error: unknown, label: string): boolean {
  return labelsOf(error).includes(label);
}

/** One line, without the values that a server shows in braces. */
function cut(text: string): string {
  const line = (text.split(/\r?\n/, 1)[0] ?? "").replace(/\{.*$/s, "{…}");
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
