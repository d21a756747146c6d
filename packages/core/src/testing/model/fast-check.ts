/** The part of fast-check (version 3 or 4) that the model test uses, so that core neither depends on it nor names its types. */

/** Something that makes random values. */
export interface Arbitrary<T> {
  map<U>(change: (value: T) => U): Arbitrary<U>;
}

/** What a check found. */
export interface CheckResult {
  readonly failed: boolean;
  readonly numRuns: number;
  readonly seed: number;
  readonly counterexamplePath: string | null;
  /** What the smallest failing run threw. */
  readonly errorInstance?: unknown;
}

/** The module `fast-check` itself. */
export interface FastCheck {
  integer(range: { min: number; max: number }): Arbitrary<number>;
  boolean(): Arbitrary<boolean>;
  constantFrom<T>(...values: T[]): Arbitrary<T>;
  record<T>(fields: { [name in keyof T]: Arbitrary<T[name]> }): Arbitrary<T>;
  array<T>(item: Arbitrary<T>, options: { minLength: number; maxLength: number; size: "max" }): Arbitrary<T[]>;
  oneof<T>(...options: { arbitrary: Arbitrary<T>; weight: number }[]): Arbitrary<T>;
  asyncProperty<T>(values: Arbitrary<T>, check: (value: T) => Promise<void>): unknown;
  check(
    property: unknown,
    options: { numRuns: number; endOnFailure: boolean; seed?: number; path?: string },
  ): Promise<CheckResult> | CheckResult;
}
