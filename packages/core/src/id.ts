/** The only file that draws random bits: ids of jobs and calls, and the jitter of backoff. */
import { randomBytes, randomFillSync } from "node:crypto";
import { systemClock } from "./clock.ts";
import type { JobId, RequestId } from "./job.ts";

const POOL_SIZE = 4096;
const pool = Buffer.allocUnsafe(POOL_SIZE);
let poolUsed = POOL_SIZE;

/** `size` random bytes out of a pool, since one system call for each id would cost more than the id. Valid until the next call. */
function draw(size: number): Buffer {
  if (poolUsed + size > POOL_SIZE) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  poolUsed += size;
  return pool.subarray(poolUsed - size, poolUsed);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function formatUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A new job id: a UUID of version 7 (RFC 9562). Its time part only keeps ids of one moment together; nothing is decided by it. */
export function newJobId(): JobId {
  const time = Math.floor(systemClock.now()).toString(16).padStart(12, "0").slice(-12);
  const random = draw(10);
  random[0] = 0x70 | (random[0]! & 0x0f);
  random[2] = 0x80 | (random[2]! & 0x3f);
  return formatUuid(time + random.toString("hex")) as JobId;
}

/** A new request id: 32 random hexadecimal characters. */
export function newRequestId(): RequestId {
  return draw(16).toString("hex") as RequestId;
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
