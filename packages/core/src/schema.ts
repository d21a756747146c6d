import { isPqError, PqError } from "./errors.ts";

/** One complaint of a validator. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a validator answers: the output value, or issues. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** The part of Standard Schema (https://standardschema.dev), version 1, that is used here: any validator with it will do. */
export interface StandardSchemaV1<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
    /** For the compiler only. */
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** The schema's output for a value. Throws, or rejects with, `INVALID_PAYLOAD` naming paths and messages, never the value. */
export function validate<Out>(schema: StandardSchemaV1<unknown, Out>, value: unknown): Out | Promise<Out> {
  try {
    const result = schema["~standard"].validate(value);
    // Not every promise is a `Promise` of this realm.
    if (!("then" in result)) return outputOf(result);
    return Promise.resolve(result)
      .then(outputOf)
      .catch((error: unknown) => {
        throw broken(error);
      });
  } catch (error) {
    throw broken(error);
  }
}

function outputOf<Out>(result: SchemaResult<Out>): Out {
  if (result.issues === undefined) return result.value;
  throw new PqError("INVALID_PAYLOAD", `the payload does not fit the schema: ${describe(result.issues)}`);
}

function broken(cause: unknown): PqError {
  return isPqError(cause, "INVALID_PAYLOAD")
    ? cause
    : new PqError("INVALID_PAYLOAD", "the schema's validator failed", { cause });
}

/** Enough to mend a producer, short enough for a log line. */
const MOST_ISSUES = 10;

function describe(issues: readonly SchemaIssue[]): string {
  const lines = issues.slice(0, MOST_ISSUES).map(({ path, message }) => {
    const keys = (path ?? []).map((step) => String(typeof step === "object" ? step.key : step));
    return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
  });
  if (issues.length > MOST_ISSUES) lines.push(`and ${issues.length - MOST_ISSUES} more`);
  return lines.join("; ");
}
