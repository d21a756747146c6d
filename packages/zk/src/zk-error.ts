/** Error codes of ZooKeeper's client that are told apart. */
export const ZK_CODES = {
  connectionLoss: -4,
  marshalling: -5,
  operationTimeout: -7,
  badArguments: -8,
  invalidState: -9,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  authFailed: -115,
  closing: -116,
  sessionMoved: -118,
  /** Our own: the path after the hosts does not exist. */
  noChroot: -1101,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ZK_CODES).map(([name, code]) => [code, name]));

/** A call of ZooKeeper that did not succeed. */
export class ZkError extends Error {
  override readonly name = "ZkError";
  readonly code: number;

  constructor(code: number, what: string) {
    super(`${what}: ${NAMES.get(code) ?? "error"} (${code})`);
    this.code = code;
  }
}

/** Is this that answer of the server? */
export function isZkError(error: unknown, code: number): boolean {
  return error instanceof ZkError && error.code === code;
}
