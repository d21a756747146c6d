/** `@pq/core/testing`: the in-memory store for tests of user code, and the conformance suite for authors of backends. */
export { FaultProxy, type FaultProxyOptions, type FaultProxyStatistics } from "./fault-proxy.ts";
export type { FaultName, Faults, Harness, TestStore } from "./harness.ts";
export { ManualClock } from "./manual-clock.ts";
export { modelTest, type ModelTestOptions, type ModelTestReport } from "./model.ts";
export type { Arbitrary, CheckResult, FastCheck } from "./model/fast-check.ts";
export { SeamFaults, type SeamFaultsOptions } from "./seam-faults.ts";
export { memory, memoryCapabilities, ReferenceBackend } from "./reference/backend.ts";
export { ReferenceQueue } from "./reference/queue.ts";
export { ReferenceStore } from "./reference/store.ts";
