/**
 * The log: a text file that only grows. One line for each record:
 *
 *     CRC-32 of the rest (8 hexadecimal digits) | space | the record (base64 of the format of `node:v8`) | newline
 *
 * The first record is the header `{ format }`. Every other one is a call that changed something, with the store's time:
 * `{ at, change }`, the request as it came. To load is to do all these calls again, so a change of what a call does is a change of the format.
 *
 * A record is in the file before its call is answered; it is not synced. When the server is killed while it writes, the last line
 * has no newline: nobody was answered for it, and it is cut off. Any other damage makes the file as a whole unusable, because
 * later records build upon those before them. Nothing ever shortens the log: that is left out here.
 */
import { appendFileSync, closeSync, openSync, readFileSync, truncateSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";
import { PqError } from "@pq/core/backend";
import type { Change } from "./protocol.ts";

const FORMAT = 1;
const NEWLINE = 10;

export interface LogRecord {
  readonly at: number;
  readonly change: Change;
}

export class Log {
  readonly #file: number;

  /** Opens the file, or makes it, and gives every record in it to `replay`. */
  constructor(path: string, replay: (record: LogRecord) => void) {
    const lines = completeLines(path);
    const [header, ...records] = lines.map(decode);
    if (header !== undefined) checkFormat(header);
    for (const record of records) replay(record as LogRecord);
    this.#file = openSync(path, "a");
    if (header === undefined) this.#write({ format: FORMAT });
  }

  append(record: LogRecord): void {
    this.#write(record);
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(record: unknown): void {
    const text = serialize(record).toString("base64");
    appendFileSync(this.#file, `${checksum(text)} ${text}\n`);
  }
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, "0");

/** The lines of the file; a last one that was not written to its end is cut off. */
function completeLines(path: string): string[] {
  const bytes = load(path);
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end < bytes.length) truncateSync(path, end);
  const lines: string[] = [];
  for (let start = 0; start < end;) {
    const next = bytes.indexOf(NEWLINE, start);
    lines.push(bytes.toString("latin1", start, next));
    start = next + 1;
  }
  return lines;
}

function load(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return Buffer.alloc(0);
    throw new PqError("UNAVAILABLE", "the data file cannot be read", { cause });
  }
}

function decode(line: string, index: number): unknown {
  const [sum, text = ""] = line.split(" ");
  if (sum !== checksum(text)) throw new PqError("CORRUPT", `line ${index + 1} of the data file is damaged`);
  return deserialize(Buffer.from(text, "base64"));
}

function checkFormat(header: unknown): void {
  const { format } = header as { readonly format: number };
  if (format > FORMAT) {
    throw new PqError("INCOMPATIBLE_VERSION", `the data file is of format ${format}, newer than ${FORMAT}`);
  }
}
