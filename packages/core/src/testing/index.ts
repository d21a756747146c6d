/** `@pq/core/testing`: the in-memory store for tests of user code, and the conformance suite for authors of backends. */
export { conformance, runRule, type RunOptions, type TestFramework } from "./conformance.ts";
export { eventually } from "./eventually.ts";
export { FaultProxy, type FaultProxyOptions, type FaultProxyStatistics } from "./fault-proxy.ts";
export type { FaultName, Faults, Harness, TestStore } from "./harness.ts";
export { type JobFields, newJob } from "./jobs.ts";
export { ManualClock } from "./manual-clock.ts";
export { modelTest, type ModelTestOptions, type ModelTestReport } from "./model.ts";
export type { Arbitrary, CheckResult, FastCheck } from "./model/fast-check.ts";
export { SeamFaults, type SeamFaultsOptions } from "./seam-faults.ts";
export { memory, memoryCapabilities, ReferenceBackend } from "./reference/backend.ts";
export { referenceHarness, type ReferenceHarnessOptions } from "./reference/harness.ts";
export { ReferenceQueue } from "./reference/queue.ts";
export { ReferenceStore } from "./reference/store.ts";
export { ReferenceTransaction } from "./reference/transaction.ts";
export type { Needs, PromiseName, Rule, RuleContext } from "./rule.ts";
export { rules } from "./rules/index.ts";
export { skewed } from "./skewed-clock.ts";
export { promises } from "./promises.ts";
