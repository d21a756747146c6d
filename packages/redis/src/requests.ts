/** What scripts are asked: the seam's parameters as the arguments that the heads of `scripts/*.ts` describe. */
import {
  type ControlParams,
  type NewJob,
  type PutParams,
  type RequestId,
  type SettleParams,
  type Settlement,
  type TouchParams,
  writeJobId,
} from "@pq/core/backend";
import { FENCE_BYTES, ID_BYTES, idsToBytes, TIME_BYTES, writeFence, writeTime } from "./bytes.ts";
import type { Argument } from "./lane.ts";
import { encodeFeatures, hasFeatures, recordSize, writeRecord } from "./record.ts";

/** Beside the features: index, their length, kind of due time, due time. */
const MORE_BYTES = 2 + 2 + 1 + TIME_BYTES;
const ITEM_BYTES = 1 + ID_BYTES + FENCE_BYTES + TIME_BYTES;

/** The 16 bytes of a request id. */
export function requestBytes(request: RequestId): Buffer {
  return Buffer.from(request, "hex");
}

/** Records of more bytes than this, on average, go as arguments of their own: to cut them out of one would copy them once more. */
const LARGE = 1024;

/** The arguments of `put`. */
export function putArguments({ request, after, jobs, maxSize, partial }: PutParams): Argument[] {
  const more: Buffer[] = [];
  let size = 0;
  jobs.forEach((job, index) => {
    if (job.urgent || job.due !== null || hasFeatures(job)) more.push(encodeMore(job, index + 1));
    size += recordSize(job);
  });
  const isLarge = size > LARGE * jobs.length;
  return [
    requestBytes(request),
    after === null ? "" : requestBytes(after),
    maxSize === null ? "" : String(maxSize),
    partial ? "1" : "0",
    encodeIds(jobs),
    isLarge ? "" : encodeRecords(jobs, size),
    more.length === 0 ? "" : Buffer.concat(more),
    ...(isLarge ? jobs.map(encodeRecord) : []),
  ];
}

function encodeRecords(jobs: readonly NewJob[], size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size + 4 * jobs.length);
  let at = 0;
  for (const job of jobs) {
    const end = writeRecord(job, hasFeatures(job), bytes, at + 4);
    bytes.writeUInt32BE(end - at - 4, at);
    at = end;
  }
  return bytes;
}

function encodeRecord(job: NewJob): Buffer {
  const bytes = Buffer.allocUnsafe(recordSize(job));
  writeRecord(job, hasFeatures(job), bytes, 0);
  return bytes;
}

/** The time in an id up to a quarter of a second, which jobs that are put together mostly share: in bytes, and in characters. */
const SHARED_BYTES = 5;
const SHARED_TEXT = 11;

/** The ids. What all of them begin with is said once; the list of waiting jobs keeps them so. */
function encodeIds(jobs: readonly NewJob[]): Buffer {
  const first = jobs[0]!;
  const start = first.id.slice(0, SHARED_TEXT);
  const shared = jobs.every(({ id }) => id.startsWith(start)) ? SHARED_BYTES : 0;
  const size = ID_BYTES - shared;
  const bytes = Buffer.allocUnsafe(1 + shared + jobs.length * size);
  bytes[0] = shared;
  writeJobId(first.id, bytes, 1);
  jobs.forEach(({ id }, index) => writeJobId(id, bytes, 1 + shared + index * size, shared));
  return bytes;
}

function encodeMore(job: NewJob, index: number): Buffer {
  const features = hasFeatures(job) ? encodeFeatures(job) : undefined;
  const length = features?.length ?? 0;
  const bytes = Buffer.allocUnsafe(MORE_BYTES + length);
  bytes.writeUInt16BE(index, 0);
  bytes.writeUInt16BE(length, 2);
  if (features !== undefined) bytes.set(features, 4);
  const { urgent, due } = job;
  const at = 4 + length;
  if (urgent) bytes[at] = 3;
  else if (due === null) bytes[at] = 0;
  else bytes[at] = "in" in due ? 1 : 2;
  writeTime(due === null ? 0 : "in" in due ? due.in : due.at, bytes, at + 1);
  return bytes;
}

/** The arguments of `settle`. */
export function settleArguments({ request, items }: SettleParams): Argument[] {
  const bytes = Buffer.allocUnsafe(items.length * ITEM_BYTES);
  const texts: Argument[] = [];
  items.forEach((item, index) => {
    const at = index * ITEM_BYTES;
    const [letter, delay, text] = settlement(item);
    bytes[at] = letter.charCodeAt(0);
    writeJobId(item.id, bytes, at + 1);
    writeFence(item.fence, bytes, at + 1 + ID_BYTES);
    writeTime(delay, bytes, at + 1 + ID_BYTES + FENCE_BYTES);
    if (text !== null) texts.push(text);
  });
  return [requestBytes(request), bytes, ...texts];
}

/** The letter, the delay, and the text if there is one. */
function settlement(item: Settlement): readonly [string, number, Argument | null] {
  switch (item.type) {
    case "ack":
      return item.result === null ? ACK : ["A", 0, asBuffer(item.result)];
    case "release":
      return ["r", item.delay, null];
    case "requeue":
      return ["q", 0, null];
    case "fail":
      return ["f", item.delay, item.error];
    case "bury":
      return item.error === null ? ["b", 0, null] : ["B", 0, item.error];
  }
}

const ACK = ["a", 0, null] as const;

/** The arguments of `touch`. */
export function touchArguments({ request, items }: TouchParams): Argument[] {
  const bytes = Buffer.allocUnsafe(items.length * ITEM_BYTES);
  const texts: Argument[] = [];
  items.forEach(({ id, fence, lease, progress }, index) => {
    const at = index * ITEM_BYTES;
    writeJobId(id, bytes, at);
    writeFence(fence, bytes, at + ID_BYTES);
    writeTime(lease, bytes, at + ID_BYTES + FENCE_BYTES);
    bytes[at + ITEM_BYTES - 1] = progress === null ? 0 : 1;
    if (progress !== null) texts.push(asBuffer(progress));
  });
  return [requestBytes(request), bytes, ...texts];
}

/** The arguments of `control`. */
export function controlArguments(params: ControlParams): Argument[] {
  const args: Argument[] = [requestBytes(params.request), params.type];
  if (params.type === "kick") args.push(String(params.limit));
  if (params.type === "dig" || params.type === "delete") args.push(idsToBytes(params.ids));
  return args;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
