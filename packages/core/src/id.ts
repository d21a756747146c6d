/** The only file that draws random bits: ids of jobs and calls, and the jitter of backoff. */
import { randomBytes } from "node:crypto";
import { systemClock } from "./clock.ts";
import type { JobId, RequestId } from "./job.ts";

const POOL_SIZE = 4096;
let pool = Buffer.alloc(0);
let poolUsed = 0;

/** Where the next so many random bytes stand in the pool: to ask the system for each id would cost more than the id. */
function draw(count: number): number {
  if (poolUsed + count > pool.length) {
    pool = randomBytes(POOL_SIZE);
    poolUsed = 0;
  }
  poolUsed += count;
  return poolUsed - count;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The moment of the newest job id. */
let moment = NaN;
/** The text of the newest job id. In bytes, since text that is put together from pieces is put together once more when it is first read. */
const newest = Buffer.from("00000000-0000-7000-8000-000000000000");
const DIGITS = Buffer.from("0123456789abcdef");
/** Where the digits of the random bytes stand in it. */
const PLACES = [14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** A new job id: a UUID of version 7 (RFC 9562). Its time part only keeps ids of one moment together; nothing is decided by it. */
export function newJobId(): JobId {
  const now = Math.floor(systemClock.now());
  if (now !== moment) {
    const time = now.toString(16).padStart(12, "0").slice(-12);
    moment = now;
    newest.write(`${time.slice(0, 8)}-${time.slice(8)}`);
  }
  const from = draw(PLACES.length);
  for (let index = 0; index < PLACES.length; index++) {
    const byte = pool[from + index]!;
    newest[PLACES[index]!] = DIGITS[byte >> 4]!;
    newest[PLACES[index]! + 1] = DIGITS[byte & 15]!;
  }
  // The version, and the variant in the upper two bits of its digit.
  newest[14] = DIGITS[7]!;
  newest[19] = DIGITS[8 | (pool[from + 2]! & 3)]!;
  return newest.toString("latin1") as JobId;
}

/** A new request id: 32 random hexadecimal characters. */
export function newRequestId(): RequestId {
  const from = draw(16);
  return pool.toString("hex", from, from + 16) as RequestId;
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
