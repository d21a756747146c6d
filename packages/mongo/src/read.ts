/** Looking at jobs. */
import type { JobId, JobState, ReadResult, StoredJob } from "@pq/core/backend";
import { type Located, readContents } from "./bodies.ts";
import type { Call } from "./call.ts";
import { readHeadNow } from "./head.ts";
import { stored } from "./job-views.ts";
import { cursorOf, First, type Key, keyIn, keyOf } from "./listing.ts";
import { idName } from "./names.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";

/** Bytes of payloads in one answer, and jobs whose payloads are fetched at a time. */
const MOST_BYTES = 16 * 1024 * 1024;
const AT_A_TIME = 100;

/** A job in the order of its state. */
interface Listed extends Located {
  readonly key: Key;
}

/** The jobs of these ids, in the order of the ids, without those that are not there. */
export async function readIds(call: Call, { pages }: QueueParts, ids: readonly JobId[]): Promise<StoredJob[]> {
  const seen = await pages.read(call, { names: { $in: ids.map(idName) } });
  const located = new Map<JobId, Located>();
  for (const { page } of seen) for (const job of shown(page)) located.set(job.id, { page, job });
  return view(
    call,
    ids.map((id) => located.get(id)).filter((each) => each !== undefined),
  );
}

/** A page of the jobs in one state. Goes through all pages that have any, and keeps no more than it answers. */
export async function readState(
  call: Call,
  parts: QueueParts,
  { state, limit, cursor }: { readonly state: JobState; readonly limit: number; readonly cursor: string | null },
): Promise<ReadResult> {
  const first = new First<Listed>(limit + 1, cursor === null ? null : keyIn(cursor, state));
  for await (const page of pagesWith(call, parts, state)) {
    // The page with its thousand jobs is not kept for the sake of one of them.
    const rest: Page = { ...page, jobs: [], calls: new Map() };
    for (const job of page.jobs) {
      if (job.state !== state) continue;
      const key = keyOf(state, job);
      if (first.takes(key)) first.add({ key, page: rest, job });
    }
  }
  const found = first.done();
  const answered = upTo(MOST_BYTES, found.slice(0, limit));
  const last = answered.at(-1);
  return {
    jobs: await view(call, answered),
    cursor: last !== undefined && answered.length < found.length ? cursorOf(last.key) : null,
  };
}

/** The pages that may have jobs in this state, by the time of the server. */
export async function* pagesWith(call: Call, parts: QueueParts, state: JobState): AsyncGenerator<Page, void> {
  const head = await readHeadNow(call, parts);
  if (head === null) return;
  // What has fallen due is not written in `in` yet. It comes first: a page that is written meanwhile is found there then.
  const due = new Set<string>();
  for await (const { page } of parts.pages.each(call, { wake: { $lte: head.now } })) {
    due.add(page.id);
    if (!page.pending) yield page;
  }
  for await (const { page } of parts.pages.each(call, { in: state })) if (!due.has(page.id)) yield page;
}

/** The jobs of a page that anybody may see. */
function shown({ pending, jobs }: Page): Page["jobs"] {
  return pending ? [] : jobs.filter(({ state }) => state !== "gone" && state !== "damaged");
}

/** As many as have so many bytes together, at least one. */
function upTo(bytes: number, listed: readonly Listed[]): readonly Listed[] {
  let sum = 0;
  const over = listed.findIndex(({ job }) => (sum += job.size) > bytes);
  return over === -1 ? listed : listed.slice(0, Math.max(1, over));
}

async function view(call: Call, located: readonly Located[]): Promise<StoredJob[]> {
  const jobs: StoredJob[] = [];
  for (let from = 0; from < located.length; from += AT_A_TIME) {
    const some = located.slice(from, from + AT_A_TIME);
    const contents = await readContents(call, some);
    jobs.push(
      ...some.flatMap((each, index) => {
        const found = contents[index];
        return found === undefined ? [] : [stored(each, found)];
      }),
    );
  }
  return jobs;
}
