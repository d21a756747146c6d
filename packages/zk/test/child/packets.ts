/** What ZooKeeper's clients send, as far as a fault proxy must tell it apart. */

/**
 * A write to a log, or the look at its end: the kind of the request (1 creates, 5 sets), the length of the path, the path. The client
 * sends the length of a request by itself, so a chunk need not begin with it.
 */
// oxlint-disable-next-line no-control-regex -- a protocol of binary numbers
const CALL = /\0\0\0[\x01\x05]\0\0[^]{2}\/[\x20-\x7e]*\/log\//;

/** Is there a call of the seam in these bytes? */
export function isCall(bytes: Uint8Array): boolean {
  return CALL.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"));
}
