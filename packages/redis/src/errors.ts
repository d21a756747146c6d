/**
 * What the errors of ioredis and the replies of a server mean for a call: was it applied or not?
 *
 * A reply that is an error begins with a code word, such as `OOM` or `WRONGTYPE`. When a command inside a script fails, Redis 7 and
 * Valkey give the word and add `script: <sha>, on @user_script:<line>.`; Redis 6.2 gives `ERR Error running script (call to f_<sha>):
 * @user_script:<line>: @user_script: <line>: -<word> …`.
 *
 * | the reply | the call |
 * |---|---|
 * | refuses every write for now: `OOM READONLY MISCONF NOREPLICAS MASTERDOWN LOADING BUSY CLUSTERDOWN …`, inside a script too | `UNAVAILABLE`: these are judged at the first write, and while a script runs they do not change |
 * | `PQAFTER`, from a put whose predecessor has not come | `UNAVAILABLE` |
 * | any other, outside of a script | `UNAVAILABLE`: the server ran nothing |
 * | `WRONGTYPE` inside a script | `CORRUPT`: somebody else's data stands under our keys |
 * | `PQFORMAT`, made by our scripts | `INCOMPATIBLE_VERSION` |
 * | any other inside a script (no right to a command, a mistake in Lua), or made by a script itself | `OUTCOME_UNKNOWN`: what it did before stays done |
 */
import { isPqError, PqError } from "@pq/core/backend";

/** An error reply: its text without arguments, and its code word. The cause of the `PqError` that it became. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /** The code word, such as `OOM`; `ERR` when there is no better one. */
  readonly word: string;
  /** Did it come out of a running script? */
  readonly inScript: boolean;

  constructor(message: string, word: string, inScript: boolean) {
    super(message);
    this.word = word;
    this.inScript = inScript;
  }
}

/** The code word of the server's reply that an error comes from, if it comes from one. */
export function wordOf(error: unknown): string | undefined {
  if (error instanceof ServerError) return error.word;
  return isPqError(error) ? wordOf(error.cause) : undefined;
}

/** Words that refuse a command before it changed anything, and what helps. */
const REFUSALS: Readonly<Record<string, string>> = {
  LOADING: "it is loading its data",
  READONLY: "it is a replica: connect to the master, or by sentinels",
  MASTERDOWN: "it is a replica without its master",
  CLUSTERDOWN: "the cluster is down",
  TRYAGAIN: "the cluster is moving these keys",
  MOVED: "the cluster has moved these keys",
  ASK: "the cluster is moving these keys",
  CROSSSLOT: "it is a cluster: give the option cluster",
  BUSY: "a script of somebody runs for too long",
  MISCONF: "it cannot write to its disk",
  NOREPLICAS: "it has too few replicas (min-replicas-to-write)",
  OOM: "its memory is full (maxmemory)",
  UNBLOCKED: "its role has changed",
  NOAUTH: "it wants a password: give password (and username) in options, or in the url",
  WRONGPASS: "username or password are wrong",
  NOSCRIPT: "it forgot the script",
  NOPROTO: "it does not speak this protocol",
  PQAFTER: "the put before this one has not come",
};

/** Said by the head of each script before it does anything: the queue has a newer format, which follows. */
const FORMAT_WORD = "PQFORMAT";

/** A user without rights, in the words of every version. */
const NO_RIGHT = /^NOPERM|has no permissions|can't run this command/;
const NO_RIGHT_REMEDY =
  "its user lacks rights: allow the keys of the prefix, +@all or at least +@scripting and the commands named in the README";

const IN_SCRIPT = /script: [0-9a-f]{40}|@?user_script:\s?\d+|Error running script/;
const FAILED_COMMAND = /@user_script:\s*\d+:\s*-([A-Z][A-Z0-9_]+) (.*)$/s;
const LONGEST_TEXT = 160;

/** What an error of one call means. `script`: its name, if the call was one. An error that was understood before stays as it is. */
export function callError(error: unknown, address: string, script?: string): PqError {
  if (isPqError(error)) return error;
  if (isReply(error)) return replyError(serverError(error.message), address, script);
  const text = error instanceof Error ? error.message : "";
  if (/isn't write?able|in subscriber mode|in monitoring mode/.test(text)) {
    return new PqError("UNAVAILABLE", `there is no connection to ${address}`, { cause: bare(error) });
  }
  return new PqError("OUTCOME_UNKNOWN", `the connection to ${address} was lost before the answer${codeOf(error)}`, {
    cause: bare(error),
  });
}

/** Why there is no connection. */
export function connectError(error: unknown, address: string): PqError {
  if (isPqError(error)) return error;
  // A server that greets with an error answers no command: ioredis wraps it.
  const [, greeting] = (error instanceof Error && /Last error: (.*)$/s.exec(error.message)) || [];
  const cause = greeting !== undefined || isReply(error) ? serverError(greeting ?? bare(error).message) : bare(error);
  const remedy = cause instanceof ServerError ? helpFor(cause) : networkHelp(error);
  return new PqError("UNAVAILABLE", `cannot connect to ${address}${codeOf(error)}: ${remedy}`, { cause });
}

/** Will connecting fail until somebody mends something? Then waiting is of no use. */
export function isFatal(error: unknown): boolean {
  const word = wordOf(error);
  if (word === "NOAUTH" || word === "WRONGPASS" || word === "NOPERM") return true;
  if (!isPqError(error) || !(error.cause instanceof Error)) return false;
  return /DB index is out of range/.test(error.cause.message) || /CERT|SIGNATURE/.test(systemCode(error.cause) ?? "");
}

/** The same without what ioredis adds: the command with its arguments. */
function bare(error: unknown): Error {
  if (error instanceof ServerError) return error;
  const plain = new Error(cut(error instanceof Error ? error.message : "unknown error"));
  const code = systemCode(error);
  return code === undefined ? plain : Object.assign(plain, { code });
}

/** Read the text of an error reply. */
export function serverError(text: string): ServerError {
  const inScript = IN_SCRIPT.test(text) && !text.includes("Error compiling script");
  const [, innerWord, innerText] = FAILED_COMMAND.exec(text) ?? [];
  const [, outerWord] = /^-?([A-Z][A-Z0-9_]+)(?: |$)/.exec(text) ?? [];
  const word = innerWord ?? outerWord ?? "ERR";
  // Redis 7.0 says ERR for a right that a script lacks, and shows the arguments of a command that it does not know.
  const known = word === "ERR" && NO_RIGHT.test(text) ? "NOPERM" : word;
  const message = innerWord === undefined ? text : `${innerWord} ${innerText ?? ""}`;
  return new ServerError(cut(message.replace(/,? with args beginning with.*$/s, "")), known, inScript);
}

function replyError(cause: ServerError, address: string, script: string | undefined): PqError {
  const { word, inScript } = cause;
  const where = script === undefined ? address : `${address}: ${script}`;
  const transient = Object.hasOwn(REFUSALS, word) || /max number of clients/.test(cause.message);
  const ran = script !== undefined && (inScript || !(word === "ERR" || word === "NOPERM"));
  if (transient || !ran) return new PqError("UNAVAILABLE", `${where}: refused: ${helpFor(cause)}`, { cause });
  if (word === FORMAT_WORD) {
    const format = cause.message.slice(FORMAT_WORD.length + 1);
    return new PqError(
      "INCOMPATIBLE_VERSION",
      `${where}: a newer version of @pq/redis wrote this queue, in format ${format}: upgrade the package`,
      { cause },
    );
  }
  if (word === "WRONGTYPE") {
    return new PqError("CORRUPT", `${where}: a key of the queue holds something else: is the prefix used by others?`, {
      cause,
    });
  }
  return new PqError("OUTCOME_UNKNOWN", `${where}: failed: ${helpFor(cause)}`, { cause });
}

function helpFor({ word, message }: ServerError): string {
  const remedy = word === "NOPERM" || NO_RIGHT.test(message) ? NO_RIGHT_REMEDY : REFUSALS[word];
  return remedy === undefined ? message : `${remedy} (${word})`;
}

function networkHelp(error: unknown): string {
  switch (systemCode(error)) {
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
      return bare(error).message;
  }
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** The code of a system error, such as `ECONNREFUSED`, in brackets. */
function codeOf(error: unknown): string {
  const code = systemCode(error);
  return code === undefined ? "" : ` (${code})`;
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function cut(text: string): string {
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
