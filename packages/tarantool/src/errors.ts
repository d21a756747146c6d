/**
 * What errors mean for a call: was it applied or not?
 *
 * Each changing call is one transaction. An error that the server tells has rolled it back, with two exceptions: what is told of a
 * synchronous commit that did not come to its end may be undone by a failover. When there is no answer, nobody knows, unless the request never left.
 */
import { isPqError, PqError } from "@pq/core/backend";
import { ConnectionLost, ServerError } from "./iproto/errors.ts";

/** Numbers of errors that mean something here. */
export const CODE = {
  memory: 2,
  readOnly: 7,
  procLua: 32,
  noSuchProc: 33,
  walIo: 40,
  accessDenied: 42,
  noSuchUser: 45,
  password: 47,
  noSuchFunction: 51,
  loading: 116,
  foreignChanges: 214,
  quorumTimeout: 216,
  synchronousRollback: 217,
} as const;

/** Of a commit that waited for other instances in vain: they were too slow, or one that waited before it was undone. */
const UNSURE: ReadonlySet<number> = new Set([CODE.quorumTimeout, CODE.synchronousRollback]);

/** What helps. */
const REMEDIES: Readonly<Record<number, string>> = {
  [CODE.memory]: "its memory is full: raise memtx_memory",
  [CODE.readOnly]: "it is read-only: connect to the master, or name all members of the replica set in url",
  [CODE.walIo]: "it cannot write its log: is the disk full?",
  [CODE.accessDenied]: 'its user lacks rights: see "Running it in production" in the README',
  [CODE.noSuchUser]: "there is no such user",
  [CODE.password]: "user or password are wrong",
  [CODE.loading]: "it is loading its data",
  [CODE.foreignChanges]:
    "the former master left changes that are not confirmed: run box.ctl.clear_synchro_queue(), later versions box.ctl.promote()",
  [CODE.quorumTimeout]:
    "too few instances confirmed the change in time: is replication_synchro_quorum of them running?",
  [CODE.synchronousRollback]: "a change before it was not confirmed by enough instances",
};

const LONGEST_TEXT = 200;

/** What an error of one call means. `changes`: the call changes something. */
export function callError(error: unknown, address: string, changes: boolean): PqError {
  if (isPqError(error)) return error;
  if (error instanceof ServerError) {
    const code = UNSURE.has(error.code) && changes ? "OUTCOME_UNKNOWN" : "UNAVAILABLE";
    return new PqError(code, `${address}: ${meaning(error)}`, { cause: error });
  }
  const unknown = changes && !(error instanceof ConnectionLost && !error.sent);
  const what = error instanceof Error ? error.message : "no answer";
  return new PqError(unknown ? "OUTCOME_UNKNOWN" : "UNAVAILABLE", `the connection to ${address} was lost: ${what}`, {
    cause: error,
  });
}

/** Why there is no connection. */
export function connectError(error: unknown, address: string): PqError {
  if (isPqError(error)) return error;
  const why = error instanceof ServerError ? meaning(error) : reasonOf(error);
  return new PqError("UNAVAILABLE", `cannot connect to ${address}: ${why}`, { cause: error });
}

/** Will connecting fail until somebody mends something? Then waiting is of no use. */
export function isFatal(error: unknown): boolean {
  if (!isPqError(error)) return false;
  if (error.code !== "UNAVAILABLE") return true;
  const fatal: readonly number[] = [CODE.noSuchUser, CODE.password, CODE.accessDenied];
  return error.cause instanceof ServerError && fatal.includes(error.cause.code);
}

/** Does the server take no writes (any more)? Then another one may. */
export function isReadOnly(error: unknown): boolean {
  const cause = isPqError(error) ? error.cause : error;
  return cause instanceof ServerError && cause.code === CODE.readOnly;
}

/** What a lost connection says, without that it was lost. */
function reasonOf(error: unknown): string {
  const cause = error instanceof ConnectionLost && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : "unknown error";
}

function meaning({ code, message }: ServerError): string {
  const text = message.length > LONGEST_TEXT ? `${message.slice(0, LONGEST_TEXT)} …` : message;
  const remedy = REMEDIES[code];
  return remedy === undefined ? `error ${code}: ${text}` : `${remedy} (${text})`;
}
