/** A page of stored jobs, as `scripts/read.ts` answers it. */
import { type BuryReason, type JobState, readJobId, type ReadResult, type StoredJob } from "@pq/core/backend";
import { FENCE_BYTES } from "./bytes.ts";
import { readFeatures, readRecord } from "./record.ts";

const STRINGS_PER_JOB = 8;
const STATES: Readonly<Record<string, JobState>> = {
  r: "ready",
  w: "ready",
  d: "delayed",
  l: "leased",
  b: "buried",
  e: "done",
};
const REASONS: Readonly<Record<string, BuryReason>> = { f: "failed", l: "lease-expired", b: "buried" };

/** The bytes of a state; the head of `scripts/prelude.ts` describes it. */
interface State {
  readonly state: JobState;
  readonly urgent: boolean;
  readonly attempt: number;
  readonly fence: number;
  readonly reason: BuryReason | null;
  readonly hasError: boolean;
  readonly hasProgress: boolean;
  readonly hasResult: boolean;
}

/** Of a job that was never delivered and stands in the list. */
const UNTOUCHED: State = {
  state: "ready",
  urgent: false,
  attempt: 0,
  fence: 0,
  reason: null,
  hasError: false,
  hasProgress: false,
  hasResult: false,
};

/** A page of jobs. */
export function readPage(answer: readonly [number, Buffer, Buffer, ...Buffer[]]): ReadResult {
  const [more, score, member, ...strings] = answer;
  const jobs: StoredJob[] = [];
  for (let at = 0; at < strings.length; at += STRINGS_PER_JOB) {
    jobs.push(readStored(strings.slice(at, at + STRINGS_PER_JOB)));
  }
  return { jobs, cursor: more === 1 ? `${score.toString()}:${member.toString("hex")}` : null };
}

/** The score and member in a cursor. */
export function readCursor(cursor: string | null): readonly [string, Buffer] {
  const [score = "", member = ""] = (cursor ?? ":").split(":");
  return [score, Buffer.from(member, "hex")];
}

function readStored(strings: readonly Buffer[]): StoredJob {
  const [id, recordBytes, featureBytes, stateBytes, momentText, error, progress, result] = strings as Eight;
  const { payload, headers, createdAt, maxAttempts } = readRecord(recordBytes);
  const features = readFeatures(featureBytes);
  const { state, urgent, attempt, fence, reason, ...has } = readState(stateBytes);
  const moment = Number(momentText.toString());
  return {
    id: readJobId(id, 0),
    state,
    payload,
    headers,
    priority: features.priority,
    urgent,
    key: features.key,
    group: features.group,
    attempt,
    maxAttempts: maxAttempts || features.maxAttempts,
    fence,
    createdAt,
    dueAt: state === "delayed" ? moment : null,
    expiresAt: features.ttl === null ? null : createdAt + features.ttl,
    leaseUntil: state === "leased" ? moment : null,
    buryReason: state === "buried" ? reason : null,
    lastError: has.hasError ? error.toString() : null,
    progress: has.hasProgress ? progress : null,
    result: has.hasResult ? result : null,
  };
}

type Eight = [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];

function readState(bytes: Buffer): State {
  if (bytes.length === 0) return UNTOUCHED;
  const [kind, , , marks, lane] = bytes as unknown as readonly [number, number, number, number, number];
  return {
    state: STATES[String.fromCharCode(kind)] ?? "ready",
    urgent: lane === "u".charCodeAt(0),
    attempt: bytes.readUInt32BE(12),
    fence: bytes.readUIntBE(16, FENCE_BYTES),
    reason: REASONS[String.fromCharCode(bytes[22]!)] ?? null,
    hasError: (marks & 1) !== 0,
    hasProgress: (marks & 2) !== 0,
    hasResult: (marks & 4) !== 0,
  };
}
