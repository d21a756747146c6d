/**
 * What an error of ZooKeeper means for a call: was it applied or not?
 *
 * | the error of a write | it |
 * |---|---|
 * | there is no connection, or the session is over: nothing was sent, or the servers refused it | was not applied |
 * | the server refused it: no right, a quota | was not applied |
 * | the connection was lost, or no answer came in time | may have been applied |
 */
import { isPqError, PqError } from "@pq/core/backend";
import { ZK_CODES, ZkError } from "./zk-error.ts";

/** Codes below this are answers of the server, which has changed nothing then; all but `closing`, which calls get that were under way when the client was closed. */
const ANSWERS = -100;

/** What some codes mean with which nothing was applied, and what helps. */
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [ZK_CODES.invalidState, "not sent: there is no session"],
  [ZK_CODES.sessionExpired, "refused: the session is over"],
  [ZK_CODES.sessionMoved, "refused: the session moved to another server"],
  [ZK_CODES.marshalling, "not sent: the client is closing"],
  [ZK_CODES.noAuth, "refused: no right to the nodes of the queue. Log in as the user who made them (`auth`)"],
  [ZK_CODES.noChroot, "the chroot, the path after the hosts, does not exist: create it first"],
  [ZK_CODES.authFailed, "refused: the login is wrong"],
  [ZK_CODES.badArguments, "refused: the server does not know this call. ZooKeeper 3.5 or later is needed"],
]);

/** Why a call did not succeed, for people. */
export function reasonFor(error: unknown): string {
  if (!(error instanceof ZkError)) return error instanceof Error ? error.message : "unknown";
  return REFUSALS.get(error.code) ?? error.message;
}

const FATAL: readonly number[] = [ZK_CODES.noAuth, ZK_CODES.authFailed, ZK_CODES.noChroot];

/** Is it of no use to try again before somebody mends something? */
export function isFatal(error: unknown): boolean {
  return error instanceof ZkError && FATAL.includes(error.code);
}

/** The error of a call. `writes`: did it ask for a change that may have been made? */
export function callError(error: unknown, address: string, writes: boolean): PqError {
  if (isPqError(error)) return error;
  const refused = error instanceof ZkError && (isAnswer(error.code) || REFUSALS.has(error.code));
  const code = writes && !refused ? "OUTCOME_UNKNOWN" : "UNAVAILABLE";
  return new PqError(code, `ZooKeeper at ${address}: ${reasonFor(error)}`, { cause: error });
}

function isAnswer(code: number): boolean {
  return code < ANSWERS && code !== ZK_CODES.closing;
}
