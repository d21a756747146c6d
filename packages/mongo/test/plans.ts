/** What `explain` says of a statement: in the words of either engine of MongoDB, of an aggregation or of a single command. */
import type { Document } from "mongodb";

/** How a statement was carried out. */
export interface Plan {
  /** Its stages, from the last to the first, as the server names them. */
  readonly stages: readonly string[];
  /** The indexes that it reads. */
  readonly indexes: ReadonlySet<string>;
  /** Documents that were looked at, and those that came of it. */
  readonly examined: number;
  readonly returned: number;
}

/** A stage, as far as it matters here. */
interface Stage {
  readonly stage: string;
  readonly indexName?: string;
  readonly inputStage?: Stage;
  readonly inputStages?: readonly Stage[];
}

/** What is said of a query: the slot-based engine has its plan in `queryPlan`. */
interface Explained {
  readonly queryPlanner: { readonly winningPlan: Stage | { readonly queryPlan: Stage } };
  readonly executionStats: { readonly totalDocsExamined: number; readonly nReturned: number };
}

/** Stages that find a document by its `_id`, and name no index. */
const BY_ID: ReadonlySet<string> = new Set(["IDHACK", "CLUSTERED_IXSCAN", "EXPRESS_CLUSTERED_IXSCAN"]);

/** Read an answer of `explain` with `executionStats`. */
export function planOf(explained: Document): Plan {
  const [first, ...others] = (explained["stages"] ?? []) as readonly Document[];
  const { queryPlanner, executionStats } = (first?.["$cursor"] ?? explained) as Explained;
  const { winningPlan } = queryPlanner;
  const stages = stagesOf("queryPlan" in winningPlan ? winningPlan.queryPlan : winningPlan);
  const names = stages.map(({ stage, indexName }) => indexName ?? (BY_ID.has(stage) ? "_id_" : undefined));
  return {
    stages: [...others.flatMap(Object.keys).toReversed(), ...stages.map(({ stage }) => stage)],
    indexes: new Set(names.filter((name) => name !== undefined)),
    examined: executionStats.totalDocsExamined,
    returned: executionStats.nReturned,
  };
}

/** Does it read a whole collection? */
export function scans({ stages }: Plan): boolean {
  return stages.includes("COLLSCAN");
}

/** Does it sort what no index has in order? */
export function sorts({ stages }: Plan): boolean {
  return stages.some((stage) => stage === "SORT" || stage === "$sort");
}

/** A stage and those that it reads from. */
function stagesOf(stage: Stage): Stage[] {
  const { inputStage, inputStages = [] } = stage;
  return [stage, ...(inputStage === undefined ? inputStages : [inputStage]).flatMap(stagesOf)];
}
