/** Ids as 16 bytes: of jobs and requests, of members, and the names of parts. */
import type { JobId, RequestId } from "@pq/core/backend";
import { type ByteReader, type ByteWriter, formatJobId, formatRequest, parseWords } from "@pq/core/state";

const words = new Int32Array(4);

/** Write an id: 32 hexadecimal digits, with dashes or without. */
export function writeId(out: ByteWriter, id: string): void {
  parseWords(id, words);
  out.words(words);
}

/** Read the id of a job. */
export function readJobId(input: ByteReader): JobId {
  input.words(words);
  return formatJobId(words);
}

/** Read any other id. */
export function readRequest(input: ByteReader): RequestId {
  input.words(words);
  return formatRequest(words);
}
