/** Sessions of the user's, with a transaction that a put is to be part of. */
import type { ClientSession } from "mongodb";
import { PqError } from "@pq/core/backend";

/** Options of a command that is part of a session's transaction, if there is one. */
export function within(session: ClientSession | undefined): { session?: ClientSession } {
  return session === undefined ? {} : { session };
}

/** A transaction under way, for as long as it is the same one. */
export class UserTransaction {
  readonly session: ClientSession;
  #number: number | undefined;

  /** Throws `INVALID_STATE` when none is under way, and `TypeError` for what is no session. */
  constructor(session: object) {
    if (!isSession(session)) throw new TypeError("session must be a ClientSession, from client.startSession()");
    this.session = session;
    this.check();
  }

  /**
   * To be called before each command: the driver runs what comes after the end of a transaction outside of any, and the next one of the
   * session would be another's. Throws `INVALID_STATE`.
   */
  check(): void {
    if (!this.session.inTransaction()) {
      throw new PqError("INVALID_STATE", "the session has no transaction under way: put within withTransaction()");
    }
    if (this.#number !== undefined && this.#number !== this.session.serverSession.txnNumber) {
      throw new PqError("INVALID_STATE", "the transaction of this put has ended");
    }
  }

  /** A command of the transaction has been sent, so it has its number. */
  sent(): void {
    this.#number ??= this.session.serverSession.txnNumber;
  }
}

function isSession(session: object): session is ClientSession {
  return "inTransaction" in session && typeof session.inTransaction === "function";
}
