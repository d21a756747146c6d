/**
 * Whose turn it is in each group: one small document for each group that has members, changed by compare-and-set.
 *
 * Rarely a group has one and no members: somebody slow made it for a job that was over by then, when its group had been looked after. Nobody is
 * kept waiting by that. The next member is given the turn from there, and with the last one the document goes.
 */
import { type AnyBulkWriteOperation, ObjectId } from "mongodb";
import type { Located } from "./bodies.ts";
import type { Call } from "./call.ts";
import { isDuplicateKey } from "./errors.ts";
import { type GroupDocument, groupId } from "./schema.ts";

/** A turn as it was read; `undefined`: it is nobody's. */
export type Turn = GroupDocument | undefined;

/** Those of groups that have one. */
export type Turns = ReadonlyMap<string, GroupDocument>;

/** A turn that is given to another, or to the same member anew. */
export interface Move {
  readonly group: string;
  readonly from: Turn;
  /** `undefined`: the group has no members any more. */
  readonly to: Located | undefined;
}

/** The turns of these groups. */
export async function readTurns(call: Call, queue: string, groups: Iterable<string>): Promise<Turns> {
  const filter = { _id: { $in: [...groups].map((group) => groupId(queue, group)) }, q: queue };
  const found = await call.read((collections) => collections.groups.find(filter).toArray());
  return new Map(found.map((turn) => [turn.g, turn]));
}

/** Move turns, each if nobody else has since it was read. Gives the groups in which that is certain. */
export async function moveTurns(call: Call, queue: string, moves: readonly Move[]): Promise<ReadonlySet<string>> {
  if (moves.length === 0) return new Set();
  // Never the same again: what has it was written here, and was not changed since.
  const v = new ObjectId().toHexString();
  const operations = moves.map((move) => operationOf(queue, move, v));
  if (await writeAll(call, operations)) return new Set(moves.map(({ group }) => group));
  const moved = await readTurns(
    call,
    queue,
    moves.map(({ group }) => group),
  );
  return new Set([...moved.values()].filter((turn) => turn.v === v).map(({ g }) => g));
}

function operationOf(queue: string, { group, from, to }: Move, v: string): AnyBulkWriteOperation<GroupDocument> {
  const _id = groupId(queue, group);
  const turn = to && { v, page: to.page.id, index: to.job.index };
  if (from === undefined) return { insertOne: { document: { _id, q: queue, g: group, ...turn! } } };
  const filter = { _id, q: queue, v: from.v };
  return turn === undefined ? { deleteOne: { filter } } : { updateOne: { filter, update: { $set: turn } } };
}

/** `false`: not all of them were carried out. */
async function writeAll(call: Call, operations: readonly AnyBulkWriteOperation<GroupDocument>[]): Promise<boolean> {
  try {
    const { insertedCount, matchedCount, deletedCount } = await call.write(({ groups }) =>
      groups.bulkWrite([...operations], { ordered: false }),
    );
    return insertedCount + matchedCount + deletedCount === operations.length;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
