/** What a script is: text that the server runs as one atomic step. */
import { createHash } from "node:crypto";
import { answers } from "./answers.ts";
import { catchUp } from "./catch-up.ts";
import { finish, wake } from "./finish.ts";
import { jobs } from "./jobs.ts";
import { places } from "./places.ts";
import { evenWhenFull, names, prelude } from "./prelude.ts";

/** A Lua script, known to the server by the hash of its text. */
export interface Script {
  /** For messages and traces. */
  readonly name: string;
  readonly source: string;
  /** SHA-1 of the source, in hexadecimal digits. */
  readonly sha: string;
  /** It changes nothing but what would have changed by itself, so nobody waits for that to be safe. */
  readonly readOnly: boolean;
}

/** What a script is made of. */
export interface ScriptParts {
  readonly name: string;
  /** What its express counts: the prelude reads it along. Default: the name. */
  readonly counter?: string;
  /** What it does, with all that the other files of this folder define. */
  readonly step: string;
  /**
   * Comes before all that, and returns if it can do without: to define some thirty functions takes the server longer than
   * the simplest calls do. A short cut, and nothing else: whatever it does, the step would have done.
   */
  readonly express?: string;
  /** It changes nothing but what would have changed by itself: see `Script`. Default false. */
  readonly readOnly?: boolean;
  /** It writes nothing at all unless something is due, so that it works while the server takes no writes. Default false. */
  readonly looks?: boolean;
  /** Refuse it when the server's memory is full. Default false. */
  readonly needsMemory?: boolean;
}

/** The script of these parts. */
export function script(parts: ScriptParts): Script {
  const { name, counter = name, step, express = "", looks = false, readOnly = looks, needsMemory = false } = parts;
  const source = [
    `local COUNTER, LOOKS = '${counter}', ${looks}`,
    prelude,
    answers,
    express,
    "return (function()",
    needsMemory || looks ? "" : evenWhenFull,
    names,
    jobs,
    places,
    catchUp,
    wake,
    finish,
    step,
    "end)()",
  ].join("\n");
  return fromText(name, source, readOnly);
}

/** The script of this text. */
export function fromText(name: string, source: string, readOnly = false): Script {
  return { name, source, sha: createHash("sha1").update(source).digest("hex"), readOnly };
}
