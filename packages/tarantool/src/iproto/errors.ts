/** What can go wrong between a client and a server. */

/** The server answered with an error. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /** Its number (ER_*), such as 7 (read-only), 33 (no such procedure), 42 (access denied) or 47 (wrong password). */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** No answer: the connection went, or the time was over. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** False when the request certainly never left, so that it was not carried out. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause?: Error) {
    super(message, cause === undefined ? undefined : { cause });
    this.sent = sent;
  }
}

/** Bytes that are not what the protocol says. The message names what is wrong and holds none of the bytes: they may be anybody's. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}
