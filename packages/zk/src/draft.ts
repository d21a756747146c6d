/** Commands on their way into the log: gathered into an entry, encoded, and answered when it was applied. */
import type { NewJob } from "@pq/core/backend";
import { ByteWriter } from "@pq/core/state";
import { encodeHead, writeRecord } from "./command-codec.ts";
import type { Command, Member, PutCommand } from "./commands.ts";
import type { Content } from "./entry.ts";
import type { Result, Results } from "./replica.ts";

/** A put whose records are not written yet. */
interface PutDraft extends Omit<PutCommand, "jobs"> {
  readonly jobs: readonly NewJob[];
}

/** A command before it is encoded. */
export type Draft = Exclude<Command, PutCommand> | PutDraft;

/** The answer to a command of this kind. */
export type AnswerTo<D extends Draft> = Results[D["type"]];

/** A command, and who waits for its answer. */
export interface Submitted {
  readonly draft: Draft;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** An entry ready to be sent. */
export interface EncodedEntry {
  readonly commands: readonly Command[];
  readonly content: Content;
}

/** Write these commands as one entry. */
export function encodeEntry(member: Member, drafts: readonly Draft[]): EncodedEntry {
  const body = new ByteWriter(1024);
  const commands = drafts.map((draft): Command => {
    if (draft.type !== "put") return draft;
    return { ...draft, jobs: draft.jobs.map((job) => ({ job, size: writeRecord(body, job) })) };
  });
  return { commands, content: { head: encodeHead({ member, commands }), body: body.written } };
}

/** What a command takes in an entry, roughly, in bytes. */
export function weightOf(draft: Draft): number {
  switch (draft.type) {
    case "put":
      return draft.jobs.reduce((sum, { payload }) => sum + 100 + payload.length, 0);
    case "settle":
      return draft.items.reduce((sum, item) => sum + 50 + ("result" in item ? (item.result?.length ?? 0) : 0), 0);
    case "touch":
      return draft.items.reduce((sum, { progress }) => sum + 50 + (progress?.length ?? 0), 0);
    default:
      return 50;
  }
}
