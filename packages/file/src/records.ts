/**
 * The bodies of frames. Every number is little-endian; ids are 16 bytes; texts and blobs stand after a u32 length.
 * All but EPOCH begin with the number of the queue (u32) and the store's time (f64).
 *
 * | type | body after that |
 * |---|---|
 * | QUEUE | name, paused, order, fresh time, counters: everything of a queue but its jobs, as it is at this place of the log |
 * | JOB | a whole job (job-record.ts): put, or moved by compaction with its state |
 * | PUT | ends the batch of a put: request, the answer |
 * | LEASE | request, then of each job: id, fence, attempt, lease |
 * | SETTLE | request, then of each item: what was asked, the state after it, id and what the state needs |
 * | TOUCH | request, then of each item: extended or not, id, end of the lease, progress |
 * | CONTROL | request, command, count, outcomes, then the ids and, for kick and dig, their new positions |
 * | DROP | ids of jobs whose records were damaged, and that were put aside |
 * | EPOCH | epoch (f64) |
 *
 * Every record says what a job has become, not what was done to it, and names jobs by id. So a record whose job is
 * unknown (damaged, or moved to a later place) is passed over, and nothing depends on a record that is missing.
 */

export const QUEUE = 1;
export const JOB = 2;
export const PUT = 3;
export const LEASE = 4;
export const SETTLE = 5;
export const TOUCH = 6;
export const CONTROL = 7;
export const DROP = 8;
export const EPOCH = 9;
