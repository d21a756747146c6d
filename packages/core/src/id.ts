/** The only file that draws random bits: ids of jobs and calls, and the jitter of backoff. */
import { randomBytes } from "node:crypto";
import { systemClock } from "./clock.ts";
import type { JobId, RequestId } from "./job.ts";

const POOL_SIZE = 4096;
let pool = "";
let poolUsed = 0;

/** So many random hexadecimal digits out of a pool: to ask the system, and to make text of bytes, for each id would cost more than the id. */
function draw(count: number): string {
  if (poolUsed + count > pool.length) {
    pool = randomBytes(POOL_SIZE).toString("hex");
    poolUsed = 0;
  }
  poolUsed += count;
  return pool.slice(poolUsed - count, poolUsed);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function formatUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The moment of the newest job id, and what ids of that moment begin with. */
let moment = NaN;
let prefix = "";

/** A new job id: a UUID of version 7 (RFC 9562). Its time part only keeps ids of one moment together; nothing is decided by it. */
export function newJobId(): JobId {
  const now = Math.floor(systemClock.now());
  if (now !== moment) {
    const time = now.toString(16).padStart(12, "0").slice(-12);
    moment = now;
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }
  const digits = draw(19);
  const variant = "89ab"[Number.parseInt(digits[0]!, 16) & 3];
  return `${prefix}${digits.slice(1, 4)}-${variant}${digits.slice(4, 7)}-${digits.slice(7)}` as JobId;
}

/** A new request id: 32 random hexadecimal characters. */
export function newRequestId(): RequestId {
  return draw(32) as RequestId;
}

/** A number in [0, 1), for jitter; not for secrets. */
export function random(): number {
  return randomBytes(4).readUInt32BE() / 2 ** 32;
}

/** The job id in this text, in lower case. Throws a `TypeError` for anything but a UUID. */
export function parseJobId(text: string): JobId {
  const id = typeof text === "string" ? text.toLowerCase() : "";
  if (!UUID.test(id)) throw new TypeError("a job id must be a UUID, such as the id that put() returned");
  return id as JobId;
}

/** The 16 bytes of a job id. */
export function jobIdToBytes(id: JobId): Buffer {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}

/** The job id of these 16 bytes. */
export function jobIdFromBytes(bytes: Uint8Array): JobId {
  return formatUuid(Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex")) as JobId;
}
